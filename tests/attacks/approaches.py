"""What doctors do to one another in a week: they become somebody new, talk alone, tell their names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from lounge.errors import Refusal
from web import wire

if TYPE_CHECKING:
    from tests.attacks.evenings import Plan, Speaker, Week

MOST, LEAST = 20, 2


async def retired(speakers: Sequence[Speaker], plan: Plan, random: Random) -> None:
    """Half of them are somebody new in two rooms, where they have spoken there."""
    for speaker in random.sample(speakers, len(speakers) // 2):
        for room in random.sample(plan.rooms, 2):
            await speaker.does(wire.Retire(ref=0, room=room, cid=cid(random)))


async def approached(week: Week, plan: Plan) -> None:
    """Some ask whoever said something for a talk, and some answer it and offer their names."""
    random, places = week.random, [each for each in week.authors if each[0] in plan.rooms]
    for room, seq in random.sample(places, min(MOST, max(LEAST, len(places) // 100))):
        author, other = week.speakers[week.authors[room, seq]], random.choice(week.speakers)
        if author is other:
            continue
        with suppress(Refusal):  # the two have a talk, or were asked for one, already
            await _talks(author, other, room, seq, random)
        reply = await other.says(room, random, reply_to=seq)
        week.authors[room, reply] = week.speakers.index(other)
        for speaker, to in ((other, seq), (author, reply)):
            await speaker.does(wire.Reveal(ref=0, room=room, seq=to, cid=cid(random)))


async def _talks(author: Speaker, other: Speaker, room: str, seq: int, random: Random) -> None:
    asked = await other.does(wire.Talk(ref=0, room=room, seq=seq, cid=cid(random)))
    answer = wire.TalkAnswer(ref=0, talk=asked.talk, accept=True, cid=cid(random))
    await author.does(answer)
    for speaker in (author, other):
        await speaker.sits([asked.talk])
        text = cid(random)
        await speaker.does(wire.Say(ref=0, room=asked.talk, cid=cid(random), text=text))


async def together(acts: Sequence[object]) -> None:
    """All at once, so that they share transactions; what is refused is refused."""
    for each in await asyncio.gather(*acts, return_exceptions=True):  # type: ignore[call-overload]
        if isinstance(each, BaseException) and not isinstance(each, Refusal):
            raise each


def cid(random: Random) -> str:
    return "".join(random.choices("bcdfgklmnprstvz", k=21))

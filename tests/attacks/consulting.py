"""Cases and polls of a week: opened, voted on by many in no order, revealed, and talked about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Executable, Table, TextClause, select
from sqlalchemy.sql import visitors

from storage.acts import Act, Step
from storage.database import Database
from storage.schema import LOUNGE, entry
from tests.attacks.approaches import cid
from web import wire

if TYPE_CHECKING:
    from tests.attacks.evenings import Plan, Speaker, Week

CASES, POLLS = 4, 2
MOST_VOTERS = 60
TOGETHER = 40  # ballots to a transaction
ASKED = ("cardiology", "neurology", "emergency-medicine")
PAUSE_MS = 90_000
FINDINGS = ("pericarditis", "embolism", "sepsis", "migraine", "gout", "anaemia", "asthma")


@dataclass(frozen=True, slots=True)
class Vote:
    """Something that one doctor decides about one case or poll."""

    voter: int
    subject: str
    command: wire.Command


async def consulted(week: Week, plan: Plan) -> Plan:
    """The same plan, with the rooms of its cases among its rooms."""
    voters = _whole_badges(week.speakers)
    cases = [await _opened(week, each) for each in week.random.sample(voters, CASES)]
    polls = [await _asked(week, plan, each) for each in week.random.sample(voters, POLLS)]
    rooms = [room for room, _ in cases]
    for each in voters:
        await week.speakers[each].sits(rooms)
    await _voted(week, [*_opinions(rooms, voters, week.random), *_choices(polls, voters, week)])
    for room, author in cases:
        unseal = command("unseal", room=room, cid=cid(week.random))
        await week.speakers[author].does(unseal)
    await _discussed(week, rooms, voters)
    return replace(plan, rooms=(*plan.rooms, *rooms))


def command(op: str, **fields: Any) -> wire.Command:
    """As it would have come over the wire."""
    return msgspec.convert({"op": op, "ref": 0, **fields}, wire.COMMANDS[op])


def keys_in(act: Act) -> Iterable[bytes]:
    """What may be the key of a ballot that an act casts."""
    for step in act.steps:
        if _is_about_ballots(step.statement):
            yield from (value for value in _values(step) if isinstance(value, bytes))


async def cast(lounge: Database) -> list[dict[str, Any]]:
    """Every ballot there is, and the room in which it was cast."""
    polls = select(entry.c.id, LOUNGE.tables["room"].c.slug).join(
        LOUNGE.tables["room"], LOUNGE.tables["room"].c.id == entry.c.room_id
    )
    async with lounge.reading() as connection:
        asked = await connection.execute(polls.where(entry.c.kind == "poll.open"))
        rooms = {row.id: row.slug for row in asked}
        found = (await connection.execute(select(LOUNGE.tables["ballot"]))).mappings().all()
    return [{**row, "room": rooms.get(row["subject"], row["subject"])} for row in found]


# -- privates ------------------------------------------------------------------------------------


def _whole_badges(speakers: Sequence[Speaker]) -> list[int]:
    """So few that it stays quick, all of a badge or none: else there were nobody to take one for."""
    order = sorted(
        range(len(speakers)),
        key=lambda n: (speakers[n].doctor.specialty, speakers[n].doctor.country, n),
    )
    return order[:MOST_VOTERS]


async def _opened(week: Week, author: int) -> tuple[str, int]:
    fields = {"question": f"What would you do with {_words(week.random, 4)}?", "urgency": "today"}
    asked = {"specialties": week.random.sample(ASKED, 2), "enough": 50, "closes_in": 10_080}
    made = command("consult", **fields, **asked, cid=cid(week.random))
    opened = await week.speakers[author].does(made)
    week.openers[opened.consult, 1] = author
    return opened.consult, author


async def _asked(week: Week, plan: Plan, author: int) -> tuple[str, int]:
    room = week.random.choice(plan.rooms)
    fields = {"question": _words(week.random, 3), "choices": ["one", "two", "three"]}
    poll = command("poll", room=room, **fields, shown="closed", cid=cid(week.random))
    seq = (await week.speakers[author].does(poll)).seq
    week.openers[room, seq] = author
    return room, seq


def _opinions(rooms: Sequence[str], voters: Sequence[int], random: Random) -> Iterable[Vote]:
    """Nobody gives one about every case; some of them say why."""
    for room in rooms:
        for voter in random.sample(voters, len(voters) * 3 // 4):
            fields: dict[str, Any] = {"ranked": random.sample(FINDINGS, 3)}
            if random.random() < 0.3:
                fields["why"] = _words(random, 3)
            yield Vote(voter, room, command("opine", room=room, **fields, cid=cid(random)))


def _choices(polls: Sequence[tuple[str, int]], voters: Sequence[int], week: Week) -> Iterable[Vote]:
    for room, seq in polls:
        for voter in week.random.sample(voters, len(voters) * 3 // 4):
            fields = {"room": room, "seq": seq, "choices": [week.random.randrange(3)]}
            yield Vote(voter, f"{room} {seq}", command("vote", **fields, cid=cid(week.random)))


async def _voted(week: Week, votes: list[Vote]) -> None:
    """In an order that knows of nobody; who opened a case has no opinion on it."""
    own = {place[0]: author for place, author in week.openers.items() if place[1] == 1}
    votes = [each for each in votes if own.get(each.subject) != each.voter]
    week.random.shuffle(votes)
    for start in range(0, len(votes), TOGETHER):
        batch = votes[start : start + TOGETHER]
        week.clock.now += PAUSE_MS
        await asyncio.gather(*(week.speakers[each.voter].does(each.command) for each in batch))


async def _discussed(week: Week, rooms: Sequence[str], voters: Sequence[int]) -> None:
    """Most of them say something afterwards, in the same order as before: none."""
    said = [(voter, room) for room in rooms for voter in voters if week.random.random() < 0.8]
    week.random.shuffle(said)
    for start in range(0, len(said), TOGETHER):
        batch = said[start : start + TOGETHER]
        week.clock.now += PAUSE_MS
        saying = [week.speakers[voter].says(room, week.random) for voter, room in batch]
        for (voter, room), seq in zip(batch, await asyncio.gather(*saying), strict=True):
            week.authors[room, seq] = voter


def _is_about_ballots(statement: Executable) -> bool:
    """By its words or its tables; most name neither, and writing one out takes a while."""
    if isinstance(statement, TextClause):
        return "ballot" in statement.text.lower()
    parts = visitors.iterate(statement)  # type: ignore[arg-type]
    return any(isinstance(part, Table) and part.name == "ballot" for part in parts)


def _values(step: Step) -> Iterable[Any]:
    yield from step.values.values()
    yield from step.statement.compile().params.values()  # type: ignore[attr-defined]


def _words(random: Random, count: int) -> str:
    return " ".join(cid(random)[:7] for _ in range(count))

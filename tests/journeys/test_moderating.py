"""Two server processes, one PostgreSQL: what a moderator does through one holds in the other.

Nothing here asserts how long it takes: whoever has heard of an act finds it in force, and what is only read
by polling binds before the hundredth try. `python -m tests.scale moderating` prints the times.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.backends import on_postgres
from tests.journeys import served
from tests.journeys.moderated import made_moderator
from tests.journeys.served import Served
from tests.journeys.talker import Talker
from tests.processes import Run
from tests.support import new_cid

ROOM = "bench/1"
NAMED = "quillfeatherish"
TRIES = 100
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Two:
    """Two servers, two doctors with a socket on each, and a moderator on the first."""

    here: list[Talker]
    there: list[Talker]
    moderator: Talker
    comers: list[Talker]
    token: str
    port: int

    async def comes(self) -> Talker:
        """One who was not there yet, to the second server."""
        talker = Talker(self.token)
        await talker.connect(self.port)
        await talker.join(ROOM)
        self.comers.append(talker)
        return talker

    async def moderate(self, act: str, **terms: Any) -> dict[str, Any]:
        command = {"op": "moderate", "room": ROOM, "act": act, "cid": new_cid(), **terms}
        answer = await self.moderator.ask(command)
        assert answer["op"] == "ok", answer
        return answer


@asynccontextmanager
async def _two(run: Run, folder: Path, postgres_url: str, redis_url: str) -> AsyncIterator[Two]:
    async with on_postgres(postgres_url) as settings:
        environ = {**served.on_postgres(settings), "REDIS_URL": redis_url, "LOUNGE_BENCH": "1"}
        first, second = Served(run, folder, **environ), Served(run, folder, **environ)
        *tokens, another = await first.tokens(3)
        moderator = Talker(await made_moderator(first.environ))
        await asyncio.gather(first.start(), second.start())
        here, there = ([Talker(each) for each in tokens] for _ in range(2))
        two = Two(here, there, moderator, [], another, second.port)
        for talkers, server in ((two.here, first), (two.there, second), ([moderator], first)):
            for each in talkers:
                await each.connect(server.port)
                await each.join(ROOM)
        yield two
        for each in (*two.here, *two.there, *two.comers, moderator):
            await each.close()
            assert each.faults == []


@pytest.mark.timeout(120)
async def test_what_a_moderator_does_through_one_process_holds_in_the_other(
    run: Run, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with _two(run, tmp_path, postgres_url, redis_url) as two:
        await _slow(two)
        await _hidden(two)
        await _purged(two)
        await _frozen(two)
        await _muted(two)


async def _hidden(two: Two) -> None:
    """Whoever hears of it is served it no more, in the other process too."""
    said = await _say(two.here[0], "Give it twice.")
    await two.moderate("hide", seq=said["seq"], reason="dangerous_advice")
    await two.there[1].sees(ROOM, "mod.hide")
    looked = {"op": "history", "room": ROOM, "around": said["seq"], "limit": 1}
    (event,) = (await two.there[1].ask(looked))["events"]
    assert event["kind"] == "tombstone"
    assert (await _react(two.there[1], said["seq"]))["code"] == "not_found"


async def _purged(two: Two) -> None:
    """Whoever comes to the other process from then on is told no word of it."""
    said = await _say(two.here[0], f"It was {NAMED}, in the third bed.")
    place = {"room": ROOM, "seq": said["seq"], "cid": new_cid()}
    await two.here[0].ask({"op": "edit", **place, "text": f"It was {NAMED}, and no other."})
    assert NAMED in (await two.there[1].reaches(ROOM, said["seq"] + 1))[said["seq"]].frame
    await two.moderate("purge", seq=said["seq"], reason="patient_identifiable")
    await _gone(two.there[1], said["seq"])
    looked = {"op": "history", "room": ROOM, "around": said["seq"], "limit": 5}
    answers = [await two.there[1].ask(looked)]
    fresh = await two.comes()
    answers.append(await fresh.ask(looked))
    for answer in answers:
        assert _at(answer["events"], said["seq"])["kind"] == "tombstone"
        assert NAMED not in json.dumps(answer)
    heard = fresh.events(ROOM)
    assert _at(heard, said["seq"])["kind"] == "tombstone"
    assert NAMED not in json.dumps(heard)
    assert (await fresh.ask({"op": "search", "q": NAMED}))["hits"] == []


async def _slow(two: Two) -> None:
    """Of what each doctor says at once through both, one stands."""
    await two.moderate("slow", seconds=3600)
    for each in (*two.here, *two.there):
        await each.sees(ROOM, "mod.mode")
    for here, there in zip(two.here, two.there, strict=True):
        answers = await asyncio.gather(*(_say(each, "Mine.") for each in (here, there, here)))
        assert sorted(each["op"] for each in answers) == ["error", "error", "ok"]
        assert {each.get("code", "slow_mode") for each in answers} == {"slow_mode"}
    await two.moderate("slow", seconds=0)


async def _frozen(two: Two) -> None:
    """Whoever has heard of it can no longer write, and can again once it is over."""
    await two.moderate("freeze", reason="harassment")
    await _heard(two.there[0], {"slow": 0, "frozen": True})
    assert (await _say(two.there[0], "More."))["code"] == "frozen"
    await two.moderate("freeze", on=False)
    await _heard(two.there[0], {"slow": 0, "frozen": False})
    assert (await _say(two.there[0], "More."))["op"] == "ok"


async def _muted(two: Two) -> None:
    """Who is muted is known by polling."""
    said = await _say(two.here[1], "Fools, all of you.")
    await two.moderate("mute", seq=said["seq"], reason="harassment", minutes=60)
    assert (await _say(two.here[1], "Fools."))["code"] == "muted"
    for _ in range(TRIES):
        answer = await _say(two.there[1], "And again.")
        if answer["op"] == "error":
            break
        await asyncio.sleep(PAUSE_SECONDS)
    assert answer["code"] == "muted"
    assert (await _say(two.there[0], "I may."))["op"] == "ok"


# -- privates ------------------------------------------------------------------------------------


async def _say(talker: Talker, text: str) -> dict[str, Any]:
    return await talker.ask({"op": "say", "room": ROOM, "cid": new_cid(), "text": text})


async def _react(talker: Talker, seq: int) -> dict[str, Any]:
    place = {"room": ROOM, "seq": seq, "cid": new_cid()}
    return await talker.ask({"op": "react", **place, "emoji": "👍", "on": True})


async def _gone(talker: Talker, seq: int) -> None:
    """Return once it has heard that the words there are erased."""
    for _ in range(TRIES):
        if any(
            each.get("target") == seq and each["kind"] == "redact" for each in talker.events(ROOM)
        ):
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError("not heard")


def _at(events: list[dict[str, Any]], seq: int) -> dict[str, Any]:
    return next(each for each in events if each["seq"] == seq)


async def _heard(talker: Talker, mode: dict[str, Any]) -> None:
    """Return once the newest mode that it heard of is this one."""
    for _ in range(TRIES):
        heard = [each for each in talker.events(ROOM) if each["kind"] == "mod.mode"]
        if heard and heard[-1]["mode"] == mode:
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError(f"not heard: {mode}")

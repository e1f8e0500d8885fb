"""From a moderator's act through one process to its being in force in another, and a crowd's as well.

Times are from the answer of the act to the client of the other process that sees it, or is refused by it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpx2

from tests.journeys.moderated import made_moderator
from tests.journeys.talker import Talker
from tests.scale.house import Backend, open_server, stores
from tests.scale.report import Figure, Report, Table, percentile
from tests.support import http_client, new_cid
from web.valkey import EmbeddedValkey

BACKENDS: tuple[Backend, ...] = ("postgres",)
LONGEST_SECONDS = 300
ROUNDS = 20
DOCTORS = 6
MOST_SECONDS = 1.0
ROOM = "bench/1"
_PAUSE_SECONDS = 0.01

Act = Callable[["Town", int], Awaitable[float]]


@dataclass(slots=True)
class Town:
    """The doctors, each with a socket on both servers, and a moderator on the first."""

    here: list[Talker]
    there: list[Talker]
    moderator: Talker
    http: httpx2.AsyncClient
    """The moderator, on the first."""

    async def moderate(self, act: str, room: str = ROOM, **terms: Any) -> float:
        """When it was answered."""
        command = {"op": "moderate", "room": room, "act": act, "cid": new_cid(), **terms}
        answer = await self.moderator.ask(command)
        assert answer["op"] == "ok", answer
        return monotonic()

    async def lift(self) -> None:
        """What holds everywhere."""
        for each in (await self.http.get("/api/sanctions")).json()["sanctions"]:
            if "room" not in each:
                answer = await self.http.delete(f"/api/sanctions/{each['id']}")
                assert answer.status_code == 204, answer.text


async def run(backend: Backend) -> Report:
    """Rounds of each act, one after the other."""
    table = Table(("act", "p50", "longest"))
    async with _town(backend) as town:
        for name, act in _ACTS.items():
            times = [await act(town, n) for n in range(ROUNDS)]
            longest = Figure(max(times), "s", MOST_SECONDS)
            table.add(name, Figure(percentile(times, 0.5), "s"), longest)
    return Report("moderating", backend, (table,), _NOTES)


@contextlib.asynccontextmanager
async def _town(backend: Backend) -> AsyncIterator[Town]:
    valkey = EmbeddedValkey()
    await valkey.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(valkey.stop)
        where = await stack.enter_async_context(stores(backend))
        tokens = await where.tokens(DOCTORS)
        secret = await made_moderator(where.environ)
        moderator = Talker(secret)
        servers = [
            await stack.enter_async_context(open_server(where, redis_url=valkey.url))
            for _ in range(2)
        ]
        here, there = ([Talker(each) for each in tokens] for _ in servers)
        for talkers, server in ((here, servers[0]), (there, servers[1]), ([moderator], servers[0])):
            for each in talkers:
                stack.push_async_callback(each.close)
                await each.connect(server.port)
                await each.join(ROOM)
        http = http_client(
            base_url=f"http://127.0.0.1:{servers[0].port}",
            headers={"authorization": f"Bearer {secret}"},
        )
        yield Town(here, there, moderator, await stack.enter_async_context(http))


async def _hidden(town: Town, _: int) -> float:
    seq = await _said(town.here[0], "Give it twice.")
    done = await town.moderate("hide", seq=seq, reason="dangerous_advice")
    await _sees(town.there[1], "mod.hide", seq)
    return max(0.0, monotonic() - done)


async def _crowded(town: Town, _: int) -> float:
    """Three reports of weight 1 hide it."""
    seq = await _said(town.here[0], "Buy my pills.")
    for each in town.here[1:4]:
        filed = {"op": "report", "room": ROOM, "seq": seq, "kind": "advertising", "cid": new_cid()}
        answer = await each.ask(filed)
        assert answer["op"] == "ok", answer
    done = monotonic()
    await _sees(town.there[5], "mod.hide", seq)
    return max(0.0, monotonic() - done)


async def _frozen(town: Town, _: int) -> float:
    done = await town.moderate("freeze")
    taken = await _refused(town.there[2], ROOM, "frozen", done)
    await town.moderate("freeze", on=False)
    await _accepted(town.there[2], ROOM)
    return taken


async def _slow(town: Town, _: int) -> float:
    await _accepted(town.there[3], ROOM)
    done = await town.moderate("slow", seconds=3600)
    taken = await _refused(town.there[3], ROOM, "slow_mode", done)
    await town.moderate("slow", seconds=0)
    await _accepted(town.there[3], ROOM)
    return taken


async def _muted(town: Town, number: int) -> float:
    """In a room of its own each time: nobody is muted twice."""
    room = f"bench/{number + 2}"
    await town.there[4].join(room)
    await town.here[4].join(room)
    seq = await _said(town.here[4], "Fools, all of you.", room)
    terms = {"seq": seq, "reason": "harassment", "minutes": 60}
    done = await town.moderate("mute", room, **terms)
    return await _refused(town.there[4], room, "muted", done)


async def _everywhere(town: Town, number: int) -> float:
    """Muted in a room here; there, in another room and as a persona that had not spoken yet. Then lifted."""
    one, other = (f"bench/{number + 2 + n * ROUNDS}" for n in (1, 2))
    await town.here[5].join(one)
    await town.there[5].join(other)
    seq = await _said(town.here[5], "Fools, all of you.", one)
    command = {"op": "retire", "room": other, "cid": new_cid()}
    assert (await town.there[5].ask(command))["op"] == "ok"
    terms = {"seq": seq, "reason": "harassment", "minutes": 60, "everywhere": True}
    done = await town.moderate("mute", one, **terms)
    taken = await _refused(town.there[5], other, "muted", done)
    await town.lift()
    await _accepted(town.there[5], other)
    return taken


# -- privates ------------------------------------------------------------------------------------


async def _ask(talker: Talker, text: str, room: str = ROOM) -> dict[str, Any]:
    return await talker.ask({"op": "say", "room": room, "cid": new_cid(), "text": text})


async def _said(talker: Talker, text: str, room: str = ROOM) -> int:
    answer = await _ask(talker, text, room)
    seq: int = answer["seq"]
    return seq


async def _refused(talker: Talker, room: str, code: str, since: float) -> float:
    """From `since` to the asking of the first say that was refused so."""
    while True:
        asked = monotonic()
        answer = await _ask(talker, "Still here.", room)
        if answer["op"] == "error":
            assert answer["code"] == code, answer
            return max(0.0, asked - since)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _accepted(talker: Talker, room: str) -> None:
    while (await _ask(talker, "Again.", room))["op"] != "ok":
        await asyncio.sleep(_PAUSE_SECONDS)


async def _sees(talker: Talker, kind: str, target: int) -> None:
    async with asyncio.timeout(60):
        while not any(
            each["kind"] == kind and each["target"] == target for each in talker.events(ROOM)[-5:]
        ):
            await asyncio.sleep(0.001)


_ACTS: dict[str, Act] = {
    "a moderator hides an entry": _hidden,
    "three reports hide an entry": _crowded,
    "a room is frozen": _frozen,
    "a room is slow": _slow,
    "whoever wrote an entry is muted": _muted,
    "muted everywhere: another room, a new persona": _everywhere,
}
_NOTES = (
    "Two `lounge serve` on one PostgreSQL and one Valkey; the act goes through the first, what is measured"
    " is seen through the second. Freezing and slow mode are heard with the entry that tells of them; who is"
    " muted is read twice a second.",
)

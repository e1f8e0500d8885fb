"""Doctors of two servers who vote until it is kept, whatever is killed meanwhile; and what SQL then holds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from tests.journeys.board import rows
from tests.journeys.talker import Lost, Talker
from tests.support import new_cid

_AGAIN_SECONDS = 0.05
_WAITING = ("busy", "storage")


class Listening(Protocol):
    """A server, wherever it is."""

    port: int


@dataclass(slots=True)
class Member:
    """One doctor, now on this server and now on that."""

    talker: Talker
    servers: Sequence[Listening]
    rooms: list[str] = field(default_factory=list)
    number: int = 0
    _at: Any = field(default_factory=count)

    async def does(self, **command: Any) -> dict[str, Any]:
        """Until it is answered, with one client id, over as many lines and servers as it takes."""
        command = {"cid": new_cid(), **command}
        while True:
            try:
                answer = await self.talker.ask(command)
                if answer["op"] == "ok" or answer["code"] not in _WAITING:
                    return answer
            except (Lost, AssertionError):
                await self.connect()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def enters(self, room: str) -> None:
        """And stays, over all her lines."""
        self.rooms.append(room)
        try:
            await self.talker.join(room)
        except (Lost, AssertionError):
            await self.connect()

    async def connect(self) -> None:
        """To whichever server is there, with every room resumed."""
        while True:
            server = self.servers[(self.number + next(self._at)) % len(self.servers)]
            try:
                await self.talker.connect(server.port)
                for room in self.rooms:
                    await self.talker.join(room)
            except Lost:
                await asyncio.sleep(_AGAIN_SECONDS)  # a server that is starting does not listen yet
            else:
                return


@dataclass(slots=True)
class Acked:
    """What was answered with ok so far: the texts of opinions, by case and doctor."""

    ballots: dict[tuple[str, int], str] = field(default_factory=dict)
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def add(self, room: str, number: int, text: str) -> None:
        async with self._more:
            self.ballots[room, number] = text
            self._more.notify_all()

    async def reaches(self, count: int) -> None:
        async with asyncio.timeout(60), self._more:
            await self._more.wait_for(lambda: len(self.ballots) >= count)


async def opine(member: Member, rooms: Sequence[str], acked: Acked) -> None:
    """One opinion on each of these cases, in her own words."""
    for room in rooms:
        text = f"finding of {member.number} on {room[-6:]}"
        answer = await member.does(op="opine", room=room, ranked=[text, "something usual"])
        assert answer["op"] == "ok", answer
        await acked.add(room, member.number, text)


async def until(look: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait for what only SQL tells of."""
    async with asyncio.timeout(seconds):
        while not await look():
            await asyncio.sleep(0.1)


async def ballots(folder: Path, database: str) -> dict[str, list[str]]:
    """What each case's ballots put first."""
    found: dict[str, list[str]] = {}
    for subject, body in await rows(folder, database, "SELECT subject, body FROM ballot"):
        if "ranked" in (kept := json.loads(body)):
            found.setdefault(subject, []).append(kept["ranked"][0])
    return found


async def entries(folder: Path, database: str, kind: str) -> dict[str, list[dict[str, Any]]]:
    """The bodies of every entry of that kind, by room."""
    query = (
        "SELECT room.slug, entry.body FROM entry JOIN room ON room.id = entry.room_id "
        f"WHERE entry.kind = '{kind}' ORDER BY room.slug, entry.seq"
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for slug, body in await rows(folder, database, query):
        found.setdefault(slug, []).append(json.loads(body))
    return found

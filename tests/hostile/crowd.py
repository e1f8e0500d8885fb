"""Twenty healthy doctors who talk and listen while somebody else does harm, and miss nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle

from tests.journeys.talker import Talker
from tests.support import House, new_cid, until
from web import connection

MANY = 20
ROOM = "specialty/cardiology"
"""Where harm is done. They listen here, and speak after each test."""
MEANWHILE = "world"
"""Where they talk all the time."""
PAUSE_SECONDS = 0.1
"""Between two of them: nobody is to speak too often."""


@dataclass(slots=True)
class Crowd:
    """Who is here, and how far they have come in the room where they talk."""

    house: House
    talkers: list[Talker]
    turns: Iterator[Talker]
    said: int = 0

    async def talk(self) -> None:
        """One after the other, for ever; every word of theirs is taken."""
        for talker in cycle(self.talkers):
            self.said = await _said(talker, MEANWHILE, "Anybody on call?")
            await asyncio.sleep(PAUSE_SECONDS)

    async def are_well(self) -> None:
        """One speaks where harm was done, and each hears it.

        Each has every message once and in order, none was refused or closed, and nobody else is left.
        """
        here, talked = await _said(next(self.turns), ROOM, "Still here?"), self.said
        for talker in self.talkers:
            assert len(await talker.reaches(ROOM, here)) >= here
            assert len(await talker.reaches(MEANWHILE, talked)) >= talked
            assert talker.faults == []
        await until(self._are_alone)

    def _are_alone(self) -> bool:
        """What is counted of connections stands where it did, and so do tasks."""
        porch = self.house.porch
        counts = [
            len(connection.OPEN),
            sum(connection._CONNECTIONS.values()),
            len(self.house.lounge.door.guests()),
            porch.connections.count,
            porch.guests.count,
            _served(),
        ]
        return counts == [MANY] * len(counts) and not (porch.half_open.count or porch.handshakes)


@asynccontextmanager
async def crowd_in(house: House) -> AsyncIterator[Crowd]:
    """They come, talk until the end, and go."""
    talkers = [Talker(await house.token(f"healthy-{n}-{new_cid()}")) for n in range(MANY)]
    for talker in talkers:
        await talker.connect(house.port)
        for room in (ROOM, MEANWHILE):
            await talker.join(room)
    crowd = Crowd(house, talkers, cycle(talkers))
    talking = asyncio.create_task(crowd.talk())
    try:
        yield crowd
    finally:
        assert not talking.done(), talking
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        for talker in talkers:
            await talker.close()


def _served() -> int:
    """How many requests and WebSockets are being worked on."""
    running = (task.get_coro() for task in asyncio.all_tasks())
    return sum(getattr(each, "__name__", "") == "run_asgi" for each in running)


async def _said(talker: Talker, room: str, text: str) -> int:
    """Where it stands."""
    answer = await talker.ask({"op": "say", "room": room, "cid": new_cid(), "text": text})
    assert answer["op"] == "ok", answer
    seq: int = answer["seq"]
    return seq

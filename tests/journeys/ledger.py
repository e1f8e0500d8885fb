"""What clients sent under load and were told was kept, held against what SQL holds.

It shares nothing with the server: it reads the database itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import asyncpg

from tests.journeys.served import Served
from tests.journeys.talker import Lost, Talker
from tests.support import new_cid

PATIENCE_SECONDS = 60

Place = tuple[str, int, str]
"""Room, seq and id of an entry."""


@dataclass(slots=True)
class Ledger:
    """The books of one run in these rooms; `padding` letters make each text longer."""

    rooms: tuple[str, ...]
    padding: int = 0
    sent: set[str] = field(default_factory=set)
    acked: dict[str, Place] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    over: bool = False
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    def something_new(self) -> dict[str, Any]:
        """A command that says what nobody has said."""
        text = "".join(secrets.choice(ascii_lowercase) for _ in range(16)) + self.padding * "x"
        self.sent.add(text)
        room = self.rooms[len(self.sent) % len(self.rooms)]
        return {"op": "say", "room": room, "cid": new_cid(), "text": text}

    async def ack(self, text: str, place: Place) -> None:
        async with self._more:
            assert self.acked.setdefault(text, place) == place, "one client id, two places"
            self._more.notify_all()

    async def more(self, count: int) -> None:
        """Wait for that many further acks."""
        enough = len(self.acked) + count
        async with asyncio.timeout(PATIENCE_SECONDS), self._more:
            await self._more.wait_for(lambda: len(self.acked) >= enough)


async def talk(talker: Talker, server: Served, ledger: Ledger) -> None:
    """Say one thing after the other, each until it is acked, over as many lines as that takes."""
    waiting: dict[str, Any] | None = None
    while not (ledger.over and waiting is None):
        try:
            await talker.connect(server.port)
            for room in ledger.rooms:
                await talker.join(room)
            while not (ledger.over and waiting is None):
                waiting = waiting or ledger.something_new()
                answer = await talker.ask(waiting)
                if answer["op"] == "ok":
                    place = (waiting["room"], answer["seq"], answer["id"])
                    await ledger.ack(waiting["text"], place)
                    waiting = None
                else:
                    ledger.refusals[answer["code"]] += 1
                    assert answer["code"] in ("busy", "storage"), answer
        except Lost:
            await asyncio.sleep(0.05)  # a server that is starting does not listen yet


async def finish(ledger: Ledger, talking: Sequence[asyncio.Task[None]]) -> None:
    """Returns once everything that was sent is acked."""
    ledger.over = True
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*talking)
    assert ledger.acked.keys() == ledger.sent


async def kept(folder: Path, database: str | None) -> list[tuple[str, int, str, str]]:
    """(room, seq, id, text) of every entry, read from SQLite in `folder` or from that PostgreSQL."""
    query = (
        "SELECT room.slug, entry.seq, entry.id, entry.body, room.last_seq "
        "FROM entry JOIN room ON room.id = entry.room_id ORDER BY room.slug, entry.seq"
    )
    if database is None:
        with contextlib.closing(sqlite3.connect(folder / "lounge.db")) as lounge:
            rows = lounge.execute(query).fetchall()
    else:
        connection = await asyncpg.connect(database.replace("+asyncpg", ""))
        rows = [tuple(row) for row in await connection.fetch(query)]
        await connection.close()
    heads = {room: (seq, last_seq) for room, seq, _, _, last_seq in rows}
    assert all(seq == last_seq for seq, last_seq in heads.values()), heads
    return [(room, seq, id, json.loads(body)["text"]) for room, seq, id, body, _ in rows]


def judge(
    ledger: Ledger, acked: dict[str, Place], entries: Sequence[tuple[str, int, str, str]]
) -> None:
    """Nothing acked is missing or elsewhere, nothing is there twice, no room has a hole."""
    where = {text: (room, seq, id) for room, seq, id, text in entries}
    doubled = [text[:16] for text, n in Counter(text for *_, text in entries).items() if n > 1]
    assert not doubled, f"doubled: {doubled}"
    lost = {text[:16] for text, place in acked.items() if where.get(text) != place}
    assert not lost, f"acked and lost: {lost}"
    assert where.keys() <= ledger.sent
    for name in ledger.rooms:
        seqs = [seq for room, seq, *_ in entries if room == name]
        assert seqs == list(range(1, len(seqs) + 1)), f"a hole in {name}"


async def all_heard(
    talkers: Sequence[Talker], entries: Sequence[tuple[str, int, str, str]]
) -> None:
    """Every client's own view, over all its lines, is the same run without a hole or a reset."""
    for room in {name for name, *_ in entries}:
        there = [(seq, id) for name, seq, id, _ in entries if name == room]
        for talker in talkers:
            heard = await talker.reaches(room, len(there))
            assert [(each.seq, each.id) for each in heard] == there
    for talker in talkers:
        await talker.close()
        assert talker.faults == []

"""Too much at once, or nothing taken: the one is told or dropped, and costs the others nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update

import web.patience
from lounge.limits import IN_FLIGHT
from storage.schema import room as room_table
from tests.hostile.attack import line_of, masked, not_reading, somebody
from tests.hostile.crowd import ROOM
from tests.support import Guest, House, Refused, new_cid, until
from web import connection as connections

MOST_WAITING_BYTES = 256 * 1024
"""What one client that does not read may cost in memory."""


async def test_more_than_32_in_flight_are_busy_and_the_32_are_answered(
    house: House, mallory: Guest
) -> None:
    said = await mallory.say(ROOM, "hold on")
    reaction = {"room": ROOM, "seq": said["seq"], "emoji": "👍"}
    async with _nobody_commits(house):
        refs = [
            await mallory.send("react", **reaction, cid=new_cid(), on=n % 2 == 0)
            for n in range(IN_FLIGHT)
        ]
        more = await mallory.refused("ping")
        assert more["code"] == "busy"
        assert more["retry_after"] > 0
        assert not [f for f in mallory.frames if f.get("ref") in refs]
    seqs = [(await mallory.answer(ref))["seq"] for ref in refs]
    assert sorted(set(seqs)) == seqs
    await mallory.ask("ping")


async def test_a_limit_says_when_to_come_back_and_a_retry_passes_it(mallory: Guest) -> None:
    cid = new_cid()
    first = await mallory.say(ROOM, "first", cid=cid)
    refused = None
    for n in range(200):
        try:
            await mallory.say(ROOM, f"and another {n}")
        except Refused as refusal:
            refused = refusal.frame
            break
    assert refused is not None
    assert n >= 19
    assert refused["code"] == "rate_limited"
    assert 0 < refused["retry_after"] <= 10
    again = await mallory.say(ROOM, "first", cid=cid)
    assert (again["seq"], again["id"], again["duplicate"]) == (first["seq"], first["id"], True)
    other = await mallory.refused("say", room=ROOM, cid=cid, text="other")
    assert other["code"] == "cid_conflict"


# -- clients that do not read --------------------------------------------------------------------


async def test_a_client_that_never_reads_is_dropped_and_nobody_waits_for_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = "specialty/pathology"
    speakers = [await house.guest(somebody(), room) for _ in range(6)]
    async with not_reading(house) as (stalled, connection):
        await stalled.send(json.dumps({"op": "join", "ref": 1, "room": room}))
        live = house.lounge.hub.live(room)
        assert live is not None
        await until(lambda: len(live.cursors) == len(speakers) + 1)
        monkeypatch.setattr(web.patience, "STALLED_SECONDS", 1.0)
        waiting = 0
        for n in range(15):
            for speaker in speakers:
                await speaker.say(room, f"{n:04}" + "x" * 7_000)
                waiting = max(waiting, line_of(connection).waiting_bytes())
        count = 15 * len(speakers)
        for speaker in speakers:
            heard = await speaker.reaches(room, count)
            assert [event["seq"] for event in heard] == list(range(1, count + 1))
        assert 0 < waiting <= MOST_WAITING_BYTES
        await until(lambda: connection not in connections.OPEN)
        assert len(live.cursors) == len(speakers)


async def test_a_client_that_asks_and_never_reads_takes_little_memory(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = "specialty/radiology"
    speakers = [await house.guest(somebody(), room) for _ in range(3)]
    for _ in range(10):
        for speaker in speakers:
            await speaker.say(room, "x" * 8_000)
    async with not_reading(house) as (stalled, connection):
        asking = [
            json.dumps({"op": "history", "ref": n, "room": room, "after": 0, "x": "x" * 99})
            for n in range(IN_FLIGHT)
        ]
        monkeypatch.setattr(web.patience, "STALLED_SECONDS", 1.0)
        stalled.transport.write(b"".join(masked(0x81, frame.encode()) for frame in asking))
        waiting = 0

        def dropped() -> bool:
            nonlocal waiting
            waiting = max(waiting, line_of(connection).waiting_bytes())
            return connection not in connections.OPEN

        await until(dropped)
        assert 0 < waiting <= MOST_WAITING_BYTES


# -- privates ------------------------------------------------------------------------------------


@asynccontextmanager
async def _nobody_commits(house: House) -> AsyncIterator[None]:
    """What is said meanwhile waits: this holds what the writer needs."""
    async with house.lounge.database.raw_writing() as connection:
        await connection.execute(update(room_table).values(says=room_table.c.says))
        yield

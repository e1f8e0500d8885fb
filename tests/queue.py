"""What tests of reports, the queue and appeals do again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx2
import msgspec
import pytest

from tests.support import CAST, Guest, House, new_cid

EITHER = ("sqlite", pytest.param("postgres", marks=pytest.mark.long))
_rooms = count(1)
_seated: dict[tuple[int, str], Guest] = {}


def new_room() -> str:
    """A room that nobody else speaks in."""
    return f"bench/{next(_rooms)}"


async def seated(house: House, name: str, *rooms: str) -> Guest:
    """That doctor, in these rooms: on one connection for all tests of a house, while it lasts."""
    key = house.port, name
    if key not in _seated or _seated[key].socket.close_code is not None:
        _seated[key] = await house.guest(name)
    for room in rooms:
        await _seated[key].join(room)
    return _seated[key]


async def report(house: House, name: str, room: str, seq: int, kind: str, **fields: Any) -> Guest:
    """That doctor reports an entry."""
    guest = await seated(house, name, room)
    await guest.ask("report", room=room, seq=seq, cid=new_cid(), kind=kind, **fields)
    return guest


async def judge(house: House, name: str, *judged: bool) -> None:
    """As if so many of her reports had been closed, upheld or not."""
    lounge = house.lounge
    doctor_id = await lounge.doctors.id_of(await house.doctor(name))
    assert doctor_id
    async with lounge.identity_database.writing() as connection:
        things = await lounge.belongings.held(connection, doctor_id)
        assert things
        changed = msgspec.structs.replace(things, judged=judged)
        await lounge.belongings.put(connection, doctor_id, changed)


async def judged(house: House, name: str) -> tuple[bool, ...]:
    """How right her reports have been."""
    doctor_id = await house.lounge.doctors.id_of(await house.doctor(name))
    assert doctor_id
    return (await house.lounge.belongings.kept(doctor_id)).judged


@asynccontextmanager
async def moderator(house: House, name: str, *roles: str) -> AsyncIterator[httpx2.AsyncClient]:
    """The HTTP door for a moderator of everything, or of what `roles` say."""
    traits = {**CAST["moira"], "roles": list(roles) or ["moderator"]}
    await house.doctor(name, **traits)
    if name not in house.passes:
        house.passes[name] = await house.token(name)
    async with house.http(house.passes[name]) as client:
        yield client


async def reports(client: httpx2.AsyncClient, room: str) -> list[dict[str, Any]]:
    """Those of one room that lie before her."""
    answer = await client.get("/api/reports")
    assert answer.status_code == 200, answer.text
    return [each for each in answer.json()["reports"] if each["room"] == room]


async def at(guest: Guest, room: str, seq: int) -> dict[str, Any]:
    """An entry as it stands."""
    past = await guest.ask("history", room=room, around=seq, limit=1)
    found: dict[str, Any] = past["events"][0]
    return found

"""A lounge in which doctors open as many cases as a test wants, on one connection each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support import Guest, House, open_house

_HERE: dict[tuple[int, str], Guest] = {}


@asynccontextmanager
async def open_casebook(folder: Path, redis_url: str) -> AsyncIterator[House]:
    """Served, with a crowd; for all tests of a module."""
    async with open_house(folder, redis_url) as house:
        await house.fill_crowd()
        house.lounge.limits._lifted = True  # Ana opens more cases here than a doctor may in an hour
        yield house
    for known in [key for key in _HERE if key[0] == house.port]:
        del _HERE[known]


async def doctor(house: House, name: str, *rooms: str) -> Guest:
    """One connection each for all tests: a doctor may have twenty."""
    key = house.port, name
    if key not in _HERE:
        _HERE[key] = await house.guest(name)
    for room in rooms:
        await _HERE[key].join(room)
    return _HERE[key]

"""A house with twenty healthy doctors in it, who are asked after each test whether they are well."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.backends import addresses
from tests.hostile.attack import somebody
from tests.hostile.crowd import ROOM, Crowd, crowd_in
from tests.support import Guest, House, open_house


@pytest.fixture(scope="package")
async def house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[House]:
    """On SQLite, unless a file asks for both: what hits no database is the same with either."""
    folder = tmp_path_factory.mktemp("hostile")
    async with addresses(request) as urls, open_house(folder, redis_url, **urls) as house:
        yield house


@pytest.fixture(scope="package")
async def crowd(house: House) -> AsyncIterator[Crowd]:
    async with crowd_in(house) as crowd:
        yield crowd


@pytest.fixture(autouse=True)
async def neighbours(house: House, crowd: Crowd) -> AsyncIterator[None]:
    """They talk all the time. Once the test's own guests have left they prove that they missed nothing."""
    yield
    for guest in house.guests:
        await guest.socket.close()
        if guest.trouble:
            raise guest.trouble
    house.guests.clear()
    await crowd.are_well()


@pytest.fixture
async def mallory(house: House, neighbours: None) -> Guest:
    """A doctor nobody knows yet, so that no test spends another's limits."""
    return await house.guest(somebody(), ROOM)

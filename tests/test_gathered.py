"""Gathered reads: few for many, each fresh, and nobody pays for another's haste."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import pytest

from lounge import gathered
from lounge.errors import StorageError
from lounge.gathered import Gathered


class Shelf:
    """Says each word in capitals. Loads wait while it is shut, and fail while it is broken."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.is_broken = False
        self.at_once = self.most_at_once = 0

    async def load(self, keys: Collection[str]) -> Mapping[str, str]:
        self.asked.append(set(keys))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.open.wait()
        self.at_once -= 1
        if self.is_broken:
            raise StorageError("away")
        return {key: key.upper() for key in keys if key != "nobody"}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_those_who_ask_at_once_share_one_load(shelf: Shelf) -> None:
    words = Gathered(shelf.load)
    answers = await asyncio.gather(*(words.get(key) for key in ("ana", "ben", "ana", "nobody")))
    assert answers == ["ANA", "BEN", "ANA", None]
    assert (shelf.asked, words.loads) == ([{"ana", "ben", "nobody"}], 1)


async def test_who_asks_during_a_load_is_answered_by_the_next(shelf: Shelf) -> None:
    """Also for the same key: what that load reads may be older than the question."""
    words = Gathered(shelf.load)
    shelf.open.clear()
    first = asyncio.create_task(words.get("ana"))
    await _settle()
    later = [asyncio.create_task(words.get(key)) for key in ("ana", "ben", "chiara")]
    await _settle()
    shelf.open.set()
    assert await asyncio.gather(first, *later) == ["ANA", "ANA", "BEN", "CHIARA"]
    assert shelf.asked == [{"ana"}, {"ana", "ben", "chiara"}]


async def test_nothing_is_remembered(shelf: Shelf) -> None:
    words = Gathered(shelf.load)
    assert await words.get("ana") == await words.get("ana") == "ANA"
    assert shelf.asked == [{"ana"}, {"ana"}]


async def test_loads_are_bounded_and_one_at_a_time(shelf: Shelf) -> None:
    words = Gathered(shelf.load, most=10)
    await asyncio.gather(*(words.get(f"{n}") for n in range(95)))
    assert [len(keys) for keys in shelf.asked] == [10] * 9 + [5]
    assert shelf.most_at_once == 1


async def test_a_failed_load_fails_all_who_shared_it_and_nobody_else(shelf: Shelf) -> None:
    words = Gathered(shelf.load)
    shelf.is_broken = True
    answers = await asyncio.gather(words.get("ana"), words.get("ben"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StorageError, StorageError]
    shelf.is_broken = False
    assert await words.get("ana") == "ANA"


async def test_one_who_gives_up_harms_nobody(shelf: Shelf) -> None:
    words = Gathered(shelf.load)
    shelf.open.clear()
    hasty, patient = (asyncio.create_task(words.get("ana")) for _ in range(2))
    queued = asyncio.create_task(words.get("ben"))
    await _settle()
    hasty.cancel()
    await _settle()
    shelf.open.set()
    assert [await patient, await queued] == ["ANA", "BEN"]
    assert hasty.cancelled()


async def test_all_may_give_up(shelf: Shelf) -> None:
    words = Gathered(shelf.load)
    shelf.open.clear()
    shelf.is_broken = True
    hasty = asyncio.create_task(words.get("ana"))
    await _settle()
    hasty.cancel()
    await _settle()
    shelf.open.set()
    await _settle()
    shelf.is_broken = False
    assert await words.get("ben") == "BEN"


async def test_more_than_may_wait_are_refused_at_once(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathered, "MOST_WAITING", 3)
    words = Gathered(shelf.load)
    shelf.open.clear()
    waiting = [asyncio.create_task(words.get(key)) for key in ("ana", "ben", "chiara")]
    await _settle()
    with pytest.raises(StorageError, match="busy"):
        await words.get("denis")
    shelf.open.set()
    assert await asyncio.gather(*waiting) == ["ANA", "BEN", "CHIARA"]
    assert await words.get("denis") == "DENIS"

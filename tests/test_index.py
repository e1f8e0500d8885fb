"""The index answers alike on both databases: every word of every text, in either language."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage import index
from storage.database import Database
from storage.index import Hit, Position
from storage.tokenizer import index_terms, query_terms
from tests.acts import act, draft, new_room, say, settled, writing
from tests.stores import BOTH, open_either

_FILE = Path(__file__).parent / "texts.jsonl"
TEXTS: list[str] = [json.loads(line)["text"] for line in _FILE.read_text("utf-8").splitlines()]


@dataclass(frozen=True, slots=True)
class Shelf:
    """All texts, in two rooms by turns; `places` says where each went."""

    database: Database
    rooms: tuple[int, int]
    places: dict[tuple[int, int], str]


@pytest.fixture(scope="module", params=BOTH)
async def shelf(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shelf]:
    async with open_either(request, tmp_path_factory.mktemp("index")) as stores:
        rooms = (await new_room(stores.lounge), await new_room(stores.lounge))
        async with writing(stores.lounge) as writer:
            await settled(writer, *(say(rooms[n % 2], each) for n, each in enumerate(TEXTS)))
        places = {(rooms[n % 2], n // 2 + 1): each for n, each in enumerate(TEXTS)}
        yield Shelf(stores.lounge, rooms, places)


async def _found(shelf: Shelf, words: str, *rooms: int) -> set[tuple[int, int]]:
    async with shelf.database.reading() as connection:
        hits = await index.find(connection, query_terms(words), rooms or shelf.rooms, 1_000)
    return {(hit.room_id, hit.seq) for hit in hits}


def _expected(shelf: Shelf, words: str) -> set[tuple[int, int]]:
    """By the tokenizer alone, without a database."""
    wanted = [set(alternatives) for alternatives in query_terms(words)]
    terms = {place: set(index_terms(each)) for place, each in shelf.places.items()}
    return {place for place, held in terms.items() if all(held & each for each in wanted)}


async def test_every_word_of_every_text_finds_just_the_texts_that_hold_it(shelf: Shelf) -> None:
    words = {word for each in TEXTS for word in each.split() if query_terms(word)}
    assert len(words) > 500
    async with shelf.database.reading() as connection:
        for word in words:
            hits = await index.find(connection, query_terms(word), shelf.rooms, 1_000)
            assert {(hit.room_id, hit.seq) for hit in hits} == _expected(shelf, word), word


async def test_every_pair_of_neighbours_finds_just_the_texts_that_hold_both(shelf: Shelf) -> None:
    pairs = {
        f"{one} {other}"
        for each in TEXTS[::4]
        for one, other in zip(each.split(), each.split()[1:], strict=False)
        if query_terms(one) and query_terms(other)
    }
    for pair in pairs:
        assert await _found(shelf, pair) == _expected(shelf, pair), pair


@pytest.mark.parametrize(
    "words",
    ["and OR not", "NEAR", '"quoted"', "a* b:c", "x'); DROP TABLE entry; --", "& | ! :* <->"],
)
async def test_words_that_mean_something_to_a_database_are_only_words(
    shelf: Shelf, words: str
) -> None:
    if query_terms(words):
        assert await _found(shelf, words) == _expected(shelf, words)


async def test_a_room_that_is_not_asked_for_is_not_looked_through(shelf: Shelf) -> None:
    word = "the"
    one, both = await _found(shelf, word, shelf.rooms[0]), await _found(shelf, word)
    assert {room for room, _ in one} == {shelf.rooms[0]}
    assert one < both
    assert await _found(shelf, word, 999_999) == set()


async def test_pages_of_hits_go_from_new_to_old_without_a_gap_or_a_repeat(shelf: Shelf) -> None:
    terms, pages, after = query_terms("the"), list[Hit](), None
    async with shelf.database.reading() as connection:
        whole = await index.find(connection, terms, shelf.rooms, 1_000)
        while page := await index.find(connection, terms, shelf.rooms, 3, after):
            pages.extend(page)
            after = Position(page[-1].at, page[-1].room_id, page[-1].seq)
    assert pages == whole
    assert whole == sorted(whole, key=lambda hit: (hit.at, hit.room_id, hit.seq), reverse=True)
    assert len(whole) > 6


async def test_an_entry_is_found_from_the_moment_it_is_acknowledged(shelf: Shelf) -> None:
    room = await new_room(shelf.database)
    async with writing(shelf.database) as writer:
        await settled(writer, say(room, "Ossification hétérotopique"))
        assert await _found(shelf, "heterotopique", room) == {(room, 1)}


async def test_entries_of_other_kinds_are_not_found_by_themselves(shelf: Shelf) -> None:
    room = await new_room(shelf.database)
    async with writing(shelf.database) as writer:
        await settled(writer, say(room, "dose"), act(room, draft("edit", target=1, text="dose")))
    assert await _found(shelf, "dose", room) == {(room, 1)}

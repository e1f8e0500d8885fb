"""Entries as they stand: corrections folded in, what was taken back gone, reactions counted once."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from storage import entries, index
from storage.acts import Act, Outcome, Placed, Step
from storage.database import Database
from storage.entries import Change, Entry, Shown, Standing, Version
from storage.schema import entry, reaction
from storage.tokenizer import index_terms, query_terms
from storage.writer import Writer
from tests.acts import ANA, BADGE, BEN, act, draft, head_of, log_of, new_room, say, settled, writing
from tests.stores import BOTH, open_either, open_stores


@pytest.fixture(scope="module", params=BOTH)
async def lounge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    async with open_either(request, tmp_path_factory.mktemp("entries")) as stores:
        yield stores.lounge


@pytest.fixture
async def room(lounge: Database) -> int:
    return await new_room(lounge)


@pytest.fixture
async def writer(lounge: Database) -> AsyncIterator[Writer]:
    async with writing(lounge) as writer:
        yield writer


async def _done(writer: Writer, *acts: Act) -> list[int]:
    """Their places, where all must be done."""
    answers = await settled(writer, *acts)
    assert all(isinstance(answer, Outcome) for answer in answers), answers
    return [answer.placed[0].seq for answer in answers if isinstance(answer, Outcome)]


async def _standing(database: Database, room: int, seq: int) -> Standing | None:
    async with database.reading() as connection:
        return await entries.standing(connection, room, seq)


async def _edit(
    writer: Writer, database: Database, room: int, seq: int, text: str, owner: bytes = ANA
) -> Act:
    was = await _standing(database, room, seq)
    assert was is not None
    steps = [
        entries.mark_edited(room, seq, owner, was.edited),
        index.removal(database.is_sqlite, room, seq, index_terms(was.text)),
        index.addition(database.is_sqlite, room, seq, index_terms(text)),
    ]
    return act(room, draft("edit", target=seq, text=text, persona=owner), steps=steps)


async def _redaction(database: Database, room: int, seq: int) -> Act:
    was = await _standing(database, room, seq)
    assert was is not None
    removal = index.removal(database.is_sqlite, room, seq, index_terms(was.text))
    steps = [*entries.erase(room, seq, was.edited), removal]
    return act(room, draft("redact", target=seq, role="author"), steps=steps, scrub=True)


def _react(database: Database, room: int, seq: int, emoji: str, owner: bytes, on: bool) -> Act:
    steps = [
        entries.say_stands(room, seq),
        entries.put_reaction(database.is_sqlite, room, seq, emoji, owner, on),
    ]
    body = draft("react", target=seq, persona=owner, emoji=emoji, on=on)
    return act(room, body, steps=steps)


async def _found(database: Database, room: int, words: str) -> list[int]:
    async with database.reading() as connection:
        return [hit.seq for hit in await index.find(connection, query_terms(words), [room], 50)]


# -- rooms ---------------------------------------------------------------------------------------


async def test_a_room_keeps_the_number_it_was_given_first(lounge: Database) -> None:
    first = await entries.room_id(lounge, "house/numbered")
    assert await entries.room_id(lounge, "house/numbered") == first
    assert await entries.room_id(lounge, "house/other") != first


async def test_a_room_without_entries_stands_at_zero(lounge: Database, room: int) -> None:
    head = await head_of(lounge, room)
    assert (head.seq, head.oldest, head.says) == (0, 1, 0)


# -- reading -------------------------------------------------------------------------------------


async def test_pages_ascend_and_stop_where_they_should(
    lounge: Database, room: int, writer: Writer
) -> None:
    await _done(writer, *(say(room, f"{n}") for n in range(1, 11)))
    head = await head_of(lounge, room)

    def numbers(page: list[Entry]) -> list[int]:
        return [each.seq for each in page]

    async with lounge.reading() as connection:
        assert numbers(await entries.after(connection, head, 0, 3)) == [1, 2, 3]
        assert numbers(await entries.after(connection, head, 8, 5)) == [9, 10]
        assert numbers(await entries.after(connection, head, 10, 5)) == []
        assert numbers(await entries.before(connection, head, 11, 3)) == [8, 9, 10]
        assert numbers(await entries.before(connection, head, 3, 5)) == [1, 2]
        assert numbers(await entries.before(connection, head, 1, 5)) == []
        assert numbers(await entries.at(connection, head, [7, 2, 99])) == [2, 7]


async def test_the_place_of_the_nth_say_is_found_between_other_entries(
    lounge: Database, room: int, writer: Writer
) -> None:
    await _done(writer, say(room))  # 1
    await _done(writer, _react(lounge, room, 1, "👍", BEN, True))  # 2
    await _done(writer, _react(lounge, room, 1, "👀", BEN, True))  # 3
    await _done(writer, say(room), say(room))  # 4, 5
    async with lounge.reading() as connection:
        places = [await entries.seq_of_say(connection, room, n) for n in (0, 1, 2, 3)]
        assert places == [1, 1, 4, 5]
        says = [await entries.says_at(connection, room, n) for n in range(7)]
        assert says == [0, 1, 1, 1, 2, 3, 3]


async def test_a_say_shows_who_spoke_and_with_which_badge(
    lounge: Database, room: int, writer: Writer
) -> None:
    await _done(writer, say(room, "Troponin?", persona=BEN))
    (kept,) = await log_of(lounge, room)
    assert (kept.persona, kept.face, kept.badge) == (BEN, "anonymous", BADGE)
    assert (kept.edited, kept.redacted, kept.reactions, kept.as_of) == (None, None, (), 1)


# -- corrections ---------------------------------------------------------------------------------


async def test_a_corrected_say_is_read_as_it_is_now(
    lounge: Database, room: int, writer: Writer
) -> None:
    await _done(writer, say(room, "Give 10 mg."))
    await _done(writer, await _edit(writer, lounge, room, 1, "Give 2 mg."))
    await _done(writer, await _edit(writer, lounge, room, 1, "Give 1 mg."))
    said, first, second = await log_of(lounge, room)
    assert (said.body, said.edited) == ({"text": "Give 1 mg."}, 3)
    assert first.body == second.body == {"text": "Give 1 mg."}  # nobody is shown 2 mg either
    assert {each.as_of for each in (said, first, second)} == {3}
    assert await _standing(lounge, room, 1) == Standing(
        "say", ANA, 3, None, "Give 1 mg.", (2, 3), Shown("anonymous", BADGE, None)
    )


async def test_an_edit_read_without_its_say_has_the_text_that_is_current(
    lounge: Database, room: int, writer: Writer
) -> None:
    await _done(writer, say(room, "Give 10 mg."), say(room, "something else"))
    await _done(writer, await _edit(writer, lounge, room, 1, "Give 2 mg."))
    await _done(writer, await _edit(writer, lounge, room, 1, "Give 1 mg."))
    async with lounge.reading() as connection:
        (kept,) = await entries.at(connection, await head_of(lounge, room), [3])
    assert kept.body == {"text": "Give 1 mg."}


async def test_only_its_author_can_mark_a_say_as_corrected(
    lounge: Database, room: int, writer: Writer
) -> None:
    await _done(writer, say(room, "mine"))
    (answer,) = await settled(writer, await _edit(writer, lounge, room, 1, "yours", owner=BEN))
    assert not isinstance(answer, Outcome)


@pytest.mark.parametrize("target", [2, 3])
async def test_only_a_say_that_stands_can_be_answered_or_changed(
    lounge: Database, room: int, writer: Writer, target: int
) -> None:
    await _done(writer, say(room, "a say"))
    await _done(writer, await _edit(writer, lounge, room, 1, "an edit"))
    await _done(writer, say(room, "to go"))
    await _done(writer, await _redaction(lounge, room, 3))
    for steps in (
        [entries.say_stands(room, target)],
        [entries.mark_edited(room, target, ANA, None)],
        [entries.mark_edited(room, target, ANA, 2)],
        entries.erase(room, target, None),
    ):
        (answer,) = await settled(writer, act(room, draft("say", text="x"), steps=steps))
        assert not isinstance(answer, Outcome)


# -- in consults ---------------------------------------------------------------------------------


@pytest.fixture
async def consult(lounge: Database) -> int:
    """A consult's room."""
    return await entries.room_id(lounge, f"consult/{secrets.token_hex(6)}")


async def _withdrawal(database: Database, room: int, seq: int, owner: bytes = ANA) -> Act:
    was = await _standing(database, room, seq)
    assert was is not None
    steps = [
        entries.mark_withdrawn(room, seq, owner, was.edited),
        index.removal(database.is_sqlite, room, seq, index_terms(was.text)),
    ]
    return act(room, draft("withdraw", target=seq, persona=owner), steps=steps)


async def test_a_consult_keeps_every_text_and_what_each_edit_brought(
    lounge: Database, consult: int, writer: Writer
) -> None:
    await _done(writer, say(consult, "Give 10 mg."))
    await _done(writer, await _edit(writer, lounge, consult, 1, "Give 2 mg."))
    await _done(writer, await _edit(writer, lounge, consult, 1, "Give 1 mg."))
    await _done(writer, await _withdrawal(lounge, consult, 1))
    said, first, second, _ = await log_of(lounge, consult)
    assert (said.body, said.edited, said.withdrawn) == ({"text": "Give 1 mg."}, 3, 4)
    assert said.versions == (Version(first.at, "Give 10 mg."), Version(second.at, "Give 2 mg."))
    assert [each.body for each in (first, second)] == [{"text": "Give 2 mg."}, said.body]
    assert await _found(lounge, consult, "give") == []


async def test_a_withdrawn_say_is_changed_by_nobody_but_can_be_erased(
    lounge: Database, consult: int, writer: Writer
) -> None:
    await _done(writer, say(consult, "mine"), say(consult, "a word"))
    edit, redaction = (
        await _edit(writer, lounge, consult, 1, "still mine"),
        await _redaction(lounge, consult, 1),
    )
    stranger = await _withdrawal(lounge, consult, 1, BEN)
    twice = [await _withdrawal(lounge, consult, 1) for _ in range(2)]
    answers = await settled(writer, stranger, *twice, edit, redaction)
    assert [isinstance(each, Outcome) for each in answers] == [False, True, False, False, False]
    for on in (False, True):
        guard = entries.say_stands(consult, 1, in_force=on)
        (answer,) = await settled(writer, act(consult, draft("say", text="x"), steps=[guard]))
        assert isinstance(answer, Outcome) is not on
    await _done(writer, act(consult, draft("redact"), steps=entries.erase(consult, 1, None, 3)))
    assert (await log_of(lounge, consult))[0].body is None


async def test_what_changed_is_listed_until_its_words_are_gone(
    lounge: Database, consult: int, writer: Writer
) -> None:
    await _done(writer, say(consult, "one"), say(consult, "two", persona=BEN))
    await _done(writer, await _edit(writer, lounge, consult, 1, "one, corrected"))
    await _done(writer, _react(lounge, consult, 2, "👍", ANA, True))
    await _done(writer, await _withdrawal(lounge, consult, 2, BEN))
    edit, withdrawal = Change(3, 1, ANA), Change(5, 2, BEN)
    async with lounge.reading() as connection:
        assert await entries.changes(connection, consult, 2, 5) == [edit, withdrawal]
        assert await entries.changes(connection, consult, 3, 4) == []
        assert await entries.changes(connection, consult, 4, 4, (3, 4)) == [edit]
        assert await entries.change_at(connection, consult, 5) == withdrawal
        assert await entries.change_at(connection, consult, 4) is None
        assert await entries.reactors(connection, consult, 2, "👍") == [ANA]
        assert await entries.reactors(connection, consult, 2, "👀") == []
    await _done(writer, await _redaction(lounge, consult, 1))
    async with lounge.reading() as connection:
        assert await entries.changes(connection, consult, 0, 9) == [withdrawal]


# -- reactions -----------------------------------------------------------------------------------


async def test_reactions_count_each_persona_once_in_the_order_they_came(
    lounge: Database, room: int, writer: Writer
) -> None:
    await _done(writer, say(room))
    for emoji, owner, on in (
        ("👀", ANA, True),
        ("👍", ANA, True),
        ("👍", BEN, True),
        ("👀", ANA, False),
        ("👀", BEN, True),
        ("👍", BEN, False),
        ("👍", BEN, True),
    ):
        await _done(writer, _react(lounge, room, 1, emoji, owner, on))
    kept = (await log_of(lounge, room))[0]
    assert sorted(kept.reactions) == [("👀", 1), ("👍", 2)]
    assert kept.as_of == 8


@pytest.mark.parametrize("on", [True, False])
async def test_a_reaction_that_is_so_already_changes_nothing(
    lounge: Database, room: int, writer: Writer, on: bool
) -> None:
    await _done(writer, say(room))
    await _done(writer, _react(lounge, room, 1, "👍", BEN, True))
    if not on:
        await _done(writer, _react(lounge, room, 1, "👍", BEN, False))
    head = (await head_of(lounge, room)).seq
    (answer,) = await settled(writer, _react(lounge, room, 1, "👍", BEN, on))
    assert not isinstance(answer, Outcome)
    assert (await head_of(lounge, room)).seq == head
    async with lounge.reading() as connection:
        made = await entries.reaction_entry(connection, room, 1, "👍", BEN, on)
        assert await entries.reaction_entry(connection, room, 1, "👍", BEN, not on) is None
        assert await entries.reaction_entry(connection, room, 1, "👍", ANA, on) is None
    assert isinstance(made, Placed)
    assert made.seq == head


# -- what was taken back -------------------------------------------------------------------------


async def test_a_redacted_say_and_its_edits_keep_their_places_and_nothing_else(
    lounge: Database, room: int, writer: Writer
) -> None:
    await _done(writer, say(room, "Ask Mrs Roe"), say(room, "another"))
    await _done(writer, await _edit(writer, lounge, room, 1, "Ask Jane Roe"))
    await _done(writer, _react(lounge, room, 1, "👍", BEN, True))
    await _done(writer, await _redaction(lounge, room, 1))
    said, other, edit, _, redaction = await log_of(lounge, room)
    assert [(each.body, each.redacted) for each in (said, edit)] == [(None, 5), (None, 5)]
    assert said.reactions == ()
    assert (other.body, other.redacted) == ({"text": "another"}, None)
    assert redaction.body == {"role": "author"}
    assert await _found(lounge, room, "roe") == []
    async with lounge.reading() as connection:
        rows = await connection.execute(
            select(entry.c.salt, entry.c.body).where(
                entry.c.room_id == room, entry.c.seq.in_([1, 3])
            )
        )
        assert [tuple(row) for row in rows] == [(None, None), (None, None)]
        left = await connection.execute(select(reaction).where(reaction.c.room_id == room))
        assert left.all() == []


async def test_a_redaction_planned_before_a_correction_must_look_again(
    lounge: Database, room: int, writer: Writer
) -> None:
    """Else the index would be told to forget terms that are no longer there."""
    await _done(writer, say(room, "first"))
    redaction = await _redaction(lounge, room, 1)
    await _done(writer, await _edit(writer, lounge, room, 1, "second"))
    (answer,) = await settled(writer, redaction)
    assert not isinstance(answer, Outcome)
    await _done(writer, await _redaction(lounge, room, 1))
    assert await _found(lounge, room, "second") == []


async def test_a_say_without_a_word_can_be_corrected_and_taken_back(tmp_path: Path) -> None:
    """In an index that holds nothing, as in a fresh lounge: SQLite counts what it is told to forget."""
    async with open_stores(tmp_path) as stores, writing(stores.lounge) as writer:
        lounge, room = stores.lounge, await new_room(stores.lounge)
        for n, text in enumerate(("👍", "🩺 ⁉️", "…")):
            await _done(writer, say(room, text))
            await _done(writer, await _redaction(lounge, room, 2 * n + 1))
        await _done(writer, say(room, "👀"))
        await _done(writer, await _edit(writer, lounge, room, 7, "words"))
        assert await _found(lounge, room, "words") == [7]
        await _done(writer, await _edit(writer, lounge, room, 7, "👀"))
        await _done(writer, await _redaction(lounge, room, 7))
        await _done(writer, say(room, "words again"))
        assert await _found(lounge, room, "words") == [11]


async def test_no_byte_of_a_redacted_text_stays_in_the_files(tmp_path: Path) -> None:
    secret, corrected = "Xylophagous quetzal 4471", "Marzipan ocelot 9023"
    async with open_stores(tmp_path) as stores, writing(stores.lounge) as writer:
        lounge, room = stores.lounge, await new_room(stores.lounge)
        await _done(writer, *(say(room, f"filler {n} " * 30) for n in range(50)))
        (seq,) = await _done(writer, say(room, secret))
        salt, digest = await _salt_and_digest(lounge, room, seq)
        await _done(writer, await _edit(writer, lounge, room, seq, corrected))
        await _done(writer, _react(lounge, room, seq, "🫀", BEN, True))
        kept = _files(tmp_path)
        assert all(each in kept for each in (secret.encode(), corrected.encode(), salt, digest))
        await _done(writer, await _redaction(lounge, room, seq))
        assert await lounge.tidy()
        kept = _files(tmp_path)
        assert digest in kept  # what was said can still be proven by whoever has it and its salt
        for gone in (secret.encode(), corrected.encode(), json.dumps(secret).encode()[1:-1], salt):
            assert gone not in kept
        assert await _found(lounge, room, "quetzal") == []


async def _salt_and_digest(database: Database, room: int, seq: int) -> tuple[bytes, bytes]:
    async with database.reading() as connection:
        row = (
            await connection.execute(
                select(entry.c.salt, entry.c.digest).where(
                    entry.c.room_id == room, entry.c.seq == seq
                )
            )
        ).one()
        return bytes(row.salt), bytes(row.digest)


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("lounge.db*"))


async def test_a_guard_without_a_count_never_refuses(
    lounge: Database, room: int, writer: Writer
) -> None:
    anything = Step(select(entry.c.seq).where(entry.c.room_id == room))
    assert await _done(writer, say(room, steps=[anything])) == [1]

"""Group commit: seqs without a hole, one act a client id, and an answer only after the commit."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import BindParameter, bindparam, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

import storage.group_commit
from storage import entries, gate, personas
from storage.acts import (
    CidConflict,
    Elsewhere,
    Letter,
    Missed,
    Outcome,
    PersonaRow,
    QueueFull,
    Stale,
    Step,
)
from storage.database import Database, StorageError
from storage.schema import entry, outbox, persona, receipt
from storage.writer import Commit, Writer
from tests.acts import ANA, act, draft, head_of, log_of, new_room, say, seqs, settled, writing
from tests.postgres import drop_database, fresh_database
from tests.stores import BOTH, Stores, open_either

_act_seq: BindParameter[int] = bindparam("act_seq")


@pytest.fixture(scope="module", params=BOTH)
async def stores(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stores]:
    async with open_either(request, tmp_path_factory.mktemp("writer")) as stores:
        yield stores


@pytest.fixture(scope="module")
def lounge(stores: Stores) -> Database:
    return stores.lounge


@pytest.fixture
async def room(lounge: Database) -> int:
    return await new_room(lounge)


@pytest.fixture
async def writer(lounge: Database) -> AsyncIterator[Writer]:
    async with writing(lounge) as writer:
        writer.epoch = await _epoch(lounge)
        yield writer


@asynccontextmanager
async def another(database: Database) -> AsyncIterator[Database]:
    """The same database as another process opens it."""
    other = Database(database.url.render_as_string(hide_password=False))
    try:
        yield other
    finally:
        await other.close()


async def _epoch(database: Database) -> int:
    async with database.reading() as connection:
        return await gate.epoch(connection)


async def _revoke(stores: Stores) -> int:
    """As anything that ends a session does."""
    async with stores.identity.writing() as connection:
        await gate.raise_epoch(connection)
    return await gate.follow(stores.lounge, stores.identity)


async def _count(database: Database, table: Any, *where: Any) -> int:
    async with database.reading() as connection:
        return len((await connection.execute(select(table).where(*where))).all())


# -- numbers -------------------------------------------------------------------------------------


async def test_entries_are_numbered_from_one_in_the_order_in_which_they_were_sent(
    lounge: Database, room: int, writer: Writer
) -> None:
    answers = await settled(writer, *(say(room, f"{n}") for n in range(600)))
    assert seqs(answers) == list(range(1, 601))
    kept = await log_of(lounge, room)
    assert [(each.seq, each.says, each.body) for each in kept] == [
        (n, n, {"text": f"{n - 1}"}) for n in range(1, 601)
    ]


async def test_only_says_count_as_says(lounge: Database, room: int, writer: Writer) -> None:
    await settled(
        writer,
        say(room),
        act(room, draft("react", target=1, emoji="👍", on=True)),
        act(
            room, draft("say", text="b"), draft("edit", target=1, text="c"), draft("say", text="d")
        ),
    )
    assert [each.says for each in await log_of(lounge, room)] == [1, 1, 2, 2, 3]
    assert (await head_of(lounge, room)).says == 3


async def test_two_processes_number_the_same_rooms_without_a_hole(
    lounge: Database, room: int, writer: Writer
) -> None:
    other_room = await new_room(lounge)
    async with another(lounge) as second, writing(second) as other:
        other.epoch = writer.epoch

        async def talk(process: Writer, name: str) -> list[int]:
            places = []
            for n in range(40):
                acts = [say(where, f"{name} {n}") for where in (room, other_room, room)]
                answers = await settled(process, *acts)
                places.extend([at for at in seqs(answers)[::2] if at])
            return places

        ours = await asyncio.gather(*(talk(p, f"{k}") for k, p in enumerate((writer, other))))
    for where, count in ((room, 160), (other_room, 80)):
        kept = await log_of(lounge, where)
        assert [each.seq for each in kept] == list(range(1, count + 1))
        assert [each.says for each in kept] == list(range(1, count + 1))
    assert sorted(ours[0] + ours[1]) == list(range(1, 161))
    for places in ours:
        assert places == sorted(places)


# -- guards --------------------------------------------------------------------------------------


async def test_an_act_of_two_rooms_is_whole_in_both_and_told_in_both(lounge: Database) -> None:
    one, other = await new_room(lounge), await new_room(lounge)
    heard: list[tuple[str, int]] = []
    async with writing(lounge, lambda commits: heard.extend(told(commits))) as writer:
        writer.epoch = await _epoch(lounge)
        await writer.submit(say(other, epoch=writer.epoch))
        beside = Elsewhere(other, (draft("card", text="of one"),))
        seen = select(entry.c.seq).where(entry.c.room_id == other, entry.c.seq < _act_seq)
        guard = Step(seen, rows=1, numbered=True, room_id=other)
        made = act(one, draft("say", text="one"), elsewhere=(beside,), steps=(guard,))
        outcome = await writer.submit(replace(made, epoch=writer.epoch))
        again = await writer.submit(replace(made, epoch=writer.epoch))
    assert (seqs([outcome, again]), again.duplicate) == ([1, 1], True)
    assert [each.kind for each in await log_of(lounge, one)] == ["say"]
    assert [each.kind for each in await log_of(lounge, other)] == ["say", "card"]
    assert [seq for _, seq in heard] == [1, 1, 2]


async def test_an_act_of_two_rooms_whose_guard_misses_is_in_neither(lounge: Database) -> None:
    one, other = await new_room(lounge), await new_room(lounge)
    async with writing(lounge) as writer:
        writer.epoch = await _epoch(lounge)
        beside = Elsewhere(other, (draft("card", text="of one"),))
        guard = Step(select(entry.c.seq).where(entry.c.room_id == one), rows=1)
        made = act(one, draft("say", text="one"), elsewhere=(beside,), steps=(guard,))
        with pytest.raises(Missed):
            await writer.submit(replace(made, epoch=writer.epoch))
    assert (await log_of(lounge, one), await log_of(lounge, other)) == ([], [])


async def test_a_step_that_counts_by_a_room_of_no_part_of_its_act_is_refused_alone(
    lounge: Database, room: int, writer: Writer
) -> None:
    other = await new_room(lounge)
    await writer.submit(say(other, epoch=writer.epoch))
    odd = Step(select(entry.c.seq).where(entry.c.seq == _act_seq), numbered=True, room_id=other)
    first, second = await settled(
        writer,
        act(room, draft("say", text="odd"), steps=(odd,), epoch=writer.epoch),
        say(room, epoch=writer.epoch),
    )
    assert isinstance(first, StorageError)
    assert seqs([second]) == [1]


def told(commits: Sequence[Commit]) -> list[tuple[str, int]]:
    return [(commit.room, commit.placed[-1].seq) for commit in commits]


async def test_a_missed_guard_refuses_its_act_alone_and_takes_no_number(
    lounge: Database, room: int
) -> None:
    writer = Writer(lounge, lambda _: None)
    guarded = act(
        room, draft("say", text="an answer"), steps=[entries.say_stands(room, 99)], epoch=0
    )
    together = asyncio.gather(
        *(writer.submit(each) for each in (say(room), guarded, say(room))), return_exceptions=True
    )
    running = asyncio.create_task(writer.run())  # only now: so they are one batch
    answers = await together
    running.cancel()
    assert isinstance(answers[1], Missed)
    assert seqs(answers) == [1, None, 2]
    assert await _count(lounge, receipt, receipt.c.dedup == guarded.dedup) == 0


async def test_what_an_act_did_before_its_guard_missed_is_undone(
    lounge: Database, room: int, writer: Writer
) -> None:
    await settled(writer, say(room, "to stay"))
    letter = secrets.token_bytes(16)
    steps = [
        Step(insert(outbox).values(id=letter, sealed=b"")),
        entries.mark_edited(room, 1, ANA, None),
        entries.say_stands(room, 99),
    ]
    (answer,) = await settled(writer, act(room, draft("edit", target=1, text="x"), steps=steps))
    assert isinstance(answer, Missed)
    assert await _count(lounge, outbox, outbox.c.id == letter) == 0
    (kept,) = await log_of(lounge, room)
    assert (kept.edited, kept.body) == (None, {"text": "to stay"})


async def test_of_two_corrections_of_one_text_in_one_batch_the_second_must_look_again(
    lounge: Database, room: int, writer: Writer
) -> None:
    await settled(writer, say(room))
    acts = [
        act(
            room,
            draft("edit", target=1, text=f"{n}"),
            steps=[entries.mark_edited(room, 1, ANA, None)],
        )
        for n in range(2)
    ]
    first, second = await settled(writer, *acts)
    assert isinstance(first, Outcome)
    assert isinstance(second, Missed)
    assert [each.kind for each in await log_of(lounge, room)] == ["say", "edit"]


# -- repetition ----------------------------------------------------------------------------------


async def test_a_client_id_sent_twice_at_once_makes_one_entry(
    lounge: Database, room: int, writer: Writer
) -> None:
    once = say(room)
    first, again, after = await settled(writer, once, once, say(room))
    assert isinstance(first, Outcome)
    assert again == Outcome(first.placed, duplicate=True)
    assert seqs([after]) == [2]


async def test_a_client_id_sent_again_later_is_answered_as_the_first_time(
    lounge: Database, room: int, writer: Writer
) -> None:
    once = say(room)
    (first,) = await settled(writer, once)
    await settled(writer, say(room))
    (again,) = await settled(writer, once)
    assert isinstance(first, Outcome)
    assert again == Outcome(first.placed, duplicate=True)
    assert (await head_of(lounge, room)).seq == 2


async def test_a_client_id_sent_by_two_processes_at_once_makes_one_entry(
    lounge: Database, room: int, writer: Writer
) -> None:
    async with another(lounge) as second, writing(second) as other:
        for n in range(1, 21):
            once = say(room)
            answers = [
                answer
                for pair in await asyncio.gather(settled(writer, once), settled(other, once))
                for answer in pair
            ]
            assert seqs(answers) == [n, n]
            duplicates = [isinstance(each, Outcome) and each.duplicate for each in answers]
            assert sorted(duplicates) == [False, True]


async def test_an_act_without_an_entry_is_done_once_too(
    lounge: Database, room: int, writer: Writer
) -> None:
    letter = secrets.token_bytes(16)
    filed = act(room, steps=[Step(insert(outbox).values(id=letter, sealed=b""))])
    first, again = (await settled(writer, filed)) + (await settled(writer, filed))
    assert first == Outcome(())
    assert again == Outcome((), duplicate=True)
    assert (await head_of(lounge, room)).seq == 0


@pytest.mark.parametrize("together", [True, False])
async def test_a_client_id_used_for_something_else_is_a_conflict(
    lounge: Database, room: int, writer: Writer, together: bool
) -> None:
    cid = secrets.token_bytes(16)
    first, other = say(room, dedup=cid), say(room, dedup=cid, fingerprint=b"something else")
    if together:
        answers = await settled(writer, first, other)
    else:
        answers = [*await settled(writer, first), *await settled(writer, other)]
    assert seqs(answers) == [1, None]
    assert isinstance(answers[1], CidConflict)


# -- what is refused -----------------------------------------------------------------------------


async def _known_letter(lounge: Database) -> Letter:
    letter = Letter(secrets.token_bytes(16), b"")
    async with lounge.writing() as connection:
        await connection.execute(insert(outbox).values(id=letter.id, sealed=b""))
    return letter


BAD: dict[str, dict[str, Any]] = {
    "nothing where something must be": {"fingerprint": None},
    "half a surrogate pair": {"persona": PersonaRow(b"x", "anonymous", "\ud800")},
    "a NUL, which only PostgreSQL refuses": {"persona": PersonaRow(b"x", "anonymous", "\0")},
    "a number too large": {"steps": [entries.say_stands(2**70, 1)]},
    "a letter that is there already": {},
    "an unknown room": {"room": 999_999},
}


@pytest.mark.parametrize("bad", BAD)
async def test_an_act_that_the_database_cannot_take_is_refused_alone(
    lounge: Database, room: int, bad: str
) -> None:
    writer = Writer(lounge, lambda _: None)
    traits = {"room": room, **BAD[bad]}
    if "letter" in bad:
        traits["letters"] = (await _known_letter(lounge),)
    spoiled = act(traits.pop("room"), draft("say", text="bad"), **traits)
    good = [say(room, f"{n}") for n in range(20)]
    futures = [writer.submit(each) for each in (*good[:13], spoiled, *good[13:])]
    running = asyncio.create_task(writer.run())
    answers = await asyncio.gather(*futures, return_exceptions=True)
    running.cancel()
    answer = answers.pop(13)
    if lounge.is_sqlite and "NUL" in bad:
        assert seqs([answer]) == [14]  # the socket refuses it for both
        return
    assert isinstance(answer, StorageError)
    assert seqs(answers) == list(range(1, 21))
    assert [each.body for each in await log_of(lounge, room)] == [
        {"text": f"{n}"} for n in range(20)
    ]


async def test_after_a_revocation_nothing_that_was_allowed_before_it_is_committed(
    stores: Stores, room: int, writer: Writer
) -> None:
    before = writer.epoch
    now = await _revoke(stores)
    assert now == before + 1
    stale, fresh = await settled(writer, say(room, epoch=before), say(room, epoch=now))
    assert isinstance(stale, Stale)
    assert seqs([fresh]) == [1]
    assert writer.epoch == now
    once = say(room, epoch=now)
    await settled(writer, once)
    await _revoke(stores)
    (again,) = await settled(writer, once)  # a repetition is answered all the same
    assert isinstance(again, Outcome)
    assert again.duplicate


async def test_a_revocation_waits_for_the_commit_that_was_allowed_before_it(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    """Else it would return, and a moment later an act of the revoked doctor would be committed."""
    request.param = "postgres"
    async with open_either(request, tmp_path_factory.mktemp("gate")) as stores:
        database, room = stores.lounge, await new_room(stores.lounge)
        plain = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        outsider, looker = await asyncpg.connect(plain), await asyncpg.connect(plain)
        async with writing(database) as writer:
            sent = say(room)
            stuck = outsider.transaction()
            await stuck.start()  # the batch reads the epoch, then waits for this row
            await outsider.execute(
                "INSERT INTO receipt (dedup, fingerprint, room_id) VALUES ($1, '', 0)", sent.dedup
            )
            answer = writer.submit(sent)
            while await looker.fetchval(WAITING) < 1:
                await asyncio.sleep(0)
            raising = asyncio.create_task(_revoke(stores))
            while not raising.done() and await looker.fetchval(WAITING) < 2:
                await asyncio.sleep(0)
            assert not raising.done()
            await stuck.rollback()
            assert (await answer).placed[0].seq == 1
            assert await raising == 1
        await outsider.close()
        await looker.close()


WAITING = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def test_a_full_queue_refuses_at_once_and_keeps_what_it_took(
    lounge: Database, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.group_commit, "QUEUE_ACTS", 10)
    writer = Writer(lounge, lambda _: None)
    epoch = await _epoch(lounge)
    futures = [writer.submit(say(room, epoch=epoch)) for _ in range(10)]
    with pytest.raises(QueueFull):
        writer.submit(say(room))
    running = asyncio.create_task(writer.run())
    assert seqs(await asyncio.gather(*futures)) == list(range(1, 11))
    assert seqs(await settled(writer, say(room, epoch=epoch))) == [11]
    running.cancel()


async def test_the_queue_is_bounded_in_bytes_too(
    lounge: Database, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.group_commit, "QUEUE_BYTES", 10_000)
    writer = Writer(lounge, lambda _: None)
    future = writer.submit(say(room, "x" * 8_000))
    with pytest.raises(QueueFull):
        writer.submit(say(room, "x" * 8_000))
    future.cancel()


# -- answers -------------------------------------------------------------------------------------


async def test_a_commit_is_announced_before_its_sender_is_answered(
    lounge: Database, room: int
) -> None:
    heard: list[tuple[str, bool]] = []

    def announce(commits: Sequence[Commit]) -> None:
        heard.extend((commit.act.drafts[0].id, future.done()) for commit in commits)

    async with writing(lounge, announce) as writer:
        sent = say(room, epoch=await _epoch(lounge))
        future = writer.submit(sent)
        await future
    assert heard == [(sent.drafts[0].id, False)]


async def test_a_sender_who_left_does_not_keep_the_others_from_their_answers(
    lounge: Database, room: int, writer: Writer
) -> None:
    acts = [say(room, f"{n}", epoch=writer.epoch) for n in range(3)]
    futures = [writer.submit(each) for each in acts]
    futures[1].cancel()
    assert [(await futures[n]).placed[0].seq for n in (0, 2)] == [1, 3]
    assert len(await log_of(lounge, room)) == 3  # what was accepted is committed all the same


async def test_an_announcement_that_fails_costs_nobody_the_answer(
    lounge: Database, room: int
) -> None:
    def announce(_: Sequence[Commit]) -> None:
        raise RuntimeError("a fault of ours")

    async with writing(lounge, announce) as writer:
        epoch = await _epoch(lounge)
        answers = await settled(writer, say(room, epoch=epoch), say(room, epoch=epoch))
    assert seqs(answers) == [1, 2]


async def test_a_fault_nobody_foresaw_still_answers_everyone_in_the_batch(
    lounge: Database, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("a fault of ours")

    writer = Writer(lounge, lambda _: None)
    monkeypatch.setattr(writer, "_commit", broken)
    futures = [writer.submit(say(room)) for _ in range(3)]
    with pytest.raises(RuntimeError):
        await writer.run()
    answers = await asyncio.gather(*futures, return_exceptions=True)
    assert all(isinstance(answer, StorageError) for answer in answers)


async def test_a_writer_that_drains_has_answered_everything(lounge: Database, room: int) -> None:
    async with writing(lounge) as writer:
        epoch = await _epoch(lounge)
        futures = [writer.submit(say(room, epoch=epoch)) for _ in range(700)]
        await writer.drain()
        assert all(future.done() for future in futures)
        assert writer.waiting == 0


async def test_the_digest_covers_salt_place_and_body(
    lounge: Database, room: int, writer: Writer
) -> None:
    epoch = await _epoch(lounge)
    await settled(writer, say(room, "the same", epoch=epoch), say(room, "the same", epoch=epoch))
    async with lounge.reading() as connection:
        columns = (entry.c.seq, entry.c.id, entry.c.at, entry.c.salt, entry.c.digest, entry.c.body)
        rows = (
            await connection.execute(
                select(*columns).where(entry.c.room_id == room).order_by(entry.c.seq)
            )
        ).all()
    slug = (await head_of(lounge, room)).slug
    for seq, id, at, salt, digest, body in rows:
        place = f"{slug}\n{seq}\n{id}\nsay\n{at}\nNone\n".encode()
        assert digest == hashlib.sha256(salt + place + ANA + body).digest()
        assert len(salt) == 16
    assert rows[0].salt != rows[1].salt
    assert rows[0].body == rows[1].body


async def test_a_badge_is_only_replaced_by_whoever_knew_it(
    lounge: Database, room: int, writer: Writer
) -> None:
    who, epoch = secrets.token_bytes(16), await _epoch(lounge)

    async def spoken(badge: str, was: str | None) -> str | None:
        row = PersonaRow(who, "anonymous", badge, was=was)
        await settled(writer, act(room, draft("say", text="x"), persona=row, epoch=epoch))
        async with lounge.reading() as connection:
            shown = (await personas.shown(connection, [who])).get(who)
            return shown.badge if shown else None

    assert await spoken("fine", None) == "fine"
    assert await spoken("coarse", "fine") == "coarse"
    assert await spoken("fine", None) == "coarse"  # another tab, from before
    assert await spoken("middling", "fine") == "coarse"
    assert await _count(lounge, persona, persona.c.id == who) == 1


# -- the database is not there -------------------------------------------------------------------


async def test_what_fails_in_the_commit_itself_is_answered_with_no_place_and_told_nobody(
    lounge: Database, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, heard = lounge.raw_writing, list[Commit]()

    @asynccontextmanager
    async def raw_writing() -> AsyncIterator[AsyncConnection]:
        async with whole() as connection:
            yield connection
            raise DBAPIError(None, None, OSError("no space left"))

    monkeypatch.setattr(lounge, "raw_writing", raw_writing)
    async with writing(lounge, heard.extend) as writer:
        epoch = await _epoch(lounge)
        answers = await settled(writer, say(room, epoch=epoch), say(room, epoch=epoch))
        assert [type(answer) for answer in answers] == [StorageError, StorageError]
        assert heard == []
        monkeypatch.undo()
        assert seqs(await settled(writer, say(room, epoch=epoch))) == [1]
    assert len(heard) == 1


async def test_an_answer_lost_on_the_way_back_is_found_by_the_receipt(
    lounge: Database, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection ends after the COMMIT was done and before anybody here knows of it."""
    whole = lounge.raw_writing
    cut = [True]

    @asynccontextmanager
    async def raw_writing() -> AsyncIterator[AsyncConnection]:
        async with whole() as connection:
            yield connection
        if cut.pop() if cut else False:
            raise DBAPIError(None, None, OSError("reset"), connection_invalidated=True)

    monkeypatch.setattr(lounge, "raw_writing", raw_writing)
    async with writing(lounge) as writer:
        epoch = await _epoch(lounge)
        answers = await settled(writer, *(say(room, f"{n}", epoch=epoch) for n in range(3)))
    assert seqs(answers) == [1, 2, 3]
    assert len(await log_of(lounge, room)) == 3


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a lock."""
    monkeypatch.setattr("storage.database.LOCK_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr("storage.database._BUSY_TIMEOUT", "busy_timeout = 50")
    pragmas = Database.__module__ + "._PRAGMAS"
    monkeypatch.setattr(pragmas, ("busy_timeout = 50", *storage.database._PRAGMAS[1:]))


@asynccontextmanager
async def held(database: Database, room: int) -> AsyncIterator[None]:
    """Somebody who keeps to none of our rules holds what a commit needs."""
    if database.is_sqlite:
        outsider = sqlite3.connect(database.path, isolation_level=None)
        outsider.execute("BEGIN IMMEDIATE")
        yield
        outsider.close()
        return
    plain = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    async with connection.transaction():
        await connection.execute("SELECT 1 FROM room WHERE id = $1 FOR UPDATE", room)
        yield
    await connection.close()


async def test_while_the_database_is_locked_nothing_is_answered_with_a_place(
    lounge: Database, room: int, impatient: None
) -> None:
    async with another(lounge) as database, writing(database) as writer:
        epoch = await _epoch(lounge)
        once = say(room, epoch=epoch)
        async with held(database, room):
            answers = await settled(writer, once, say(room, epoch=epoch))
            assert all(isinstance(answer, StorageError) for answer in answers)
        assert (await head_of(lounge, room)).seq == 0
        (again,) = await settled(writer, once)
        assert again == Outcome(again.placed, duplicate=False)  # type: ignore[union-attr]
        assert seqs([again]) == [1]


async def test_while_another_process_writes_for_too_long_the_answer_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, impatient: None
) -> None:
    request.param = "sqlite"
    async with open_either(request, tmp_path_factory.mktemp("locked")) as stores:
        room = await new_room(stores.lounge)
        async with another(stores.lounge) as other, writing(stores.lounge) as writer:
            async with other.writing():
                assert isinstance((await settled(writer, say(room)))[0], StorageError)
            assert seqs(await settled(writer, say(room))) == [1]


async def test_a_full_disk_refuses_and_heals(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    request.param = "sqlite"
    async with open_either(request, tmp_path_factory.mktemp("full")) as stores:
        database, room = stores.lounge, await new_room(stores.lounge)
        async with writing(database) as writer:
            assert seqs(await settled(writer, say(room))) == [1]
            async with database.writing() as connection:
                await connection.execute(text("PRAGMA max_page_count = 1"))  # as many as there are
            large = say(room, "x" * 100_000)
            assert isinstance((await settled(writer, large))[0], StorageError)
            assert (await head_of(database, room)).seq == 1
            async with database.writing() as connection:
                await connection.execute(text("PRAGMA max_page_count = 1000000"))
            assert seqs(await settled(writer, large)) == [2]


async def test_a_server_that_restarts_under_a_writer_costs_no_entry(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> None:
    request.param = "postgres"
    async with open_either(request, tmp_path_factory.mktemp("restart")) as stores:
        database, room = stores.lounge, await new_room(stores.lounge)
        plain = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        outsider = await asyncpg.connect(plain)
        async with writing(database) as writer:
            acts = [say(room, f"{n}") for n in range(200)]
            for each in acts:
                (answer,) = await settled(writer, each)
                await outsider.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                if not isinstance(answer, Outcome):
                    (answer,) = await settled(writer, each)
                assert isinstance(answer, Outcome)
        await outsider.close()
        kept = [each.body for each in await log_of(database, room)]
        assert kept == [{"text": f"{n}"} for n in range(200)]


async def test_a_database_that_is_gone_is_an_error_and_not_a_wait(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    url = fresh_database(postgres_url)
    database = Database(url)
    drop_database(url)
    try:
        async with writing(database) as writer:
            assert isinstance((await settled(writer, say(1)))[0], StorageError)
    finally:
        await database.close()

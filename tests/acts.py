"""Acts as tests of the store want them, and writers at work on one database."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from storage import entries
from storage.acts import Act, Draft, Outcome, PersonaRow, Step
from storage.database import Database
from storage.entries import Entry, Head
from storage.tokenizer import index_terms
from storage.writer import Commit, Writer

ANA, BEN = b"one of the voice", b"another of them."
BADGE = '{"specialty":"cardiology"}'


def draft(
    kind: str, *, persona: bytes | None = ANA, target: int | None = None, **body: Any
) -> Draft:
    """An entry of that kind; a say has its terms."""
    text = body.get("text", "")
    return Draft(
        id=secrets.token_urlsafe(12),
        kind=kind,
        salt=secrets.token_bytes(16),
        body=json.dumps(body, ensure_ascii=False).encode(),
        persona=persona,
        face="anonymous",
        badge=BADGE,
        target=target,
        is_say=kind == "say",
        terms=tuple(index_terms(text)) if kind == "say" else None,
    )


def act(room: int, *drafts: Draft, steps: Sequence[Step] = (), **other: Any) -> Act:
    """One act; its `dedup` is random unless given."""
    other.setdefault("dedup", secrets.token_bytes(16))
    other.setdefault("fingerprint", other["dedup"])
    other.setdefault("epoch", 0)
    return Act(room_id=room, drafts=drafts, steps=tuple(steps), **other)


def say(room: int, text: str = "a word", *, persona: bytes = ANA, **other: Any) -> Act:
    """The smallest act."""
    row = PersonaRow(persona, "anonymous", BADGE)
    return act(room, draft("say", text=text, persona=persona), persona=row, **other)


async def new_room(database: Database) -> int:
    """The number of a room of the test's own."""
    return await entries.room_id(database, f"house/{secrets.token_hex(6)}")


async def head_of(database: Database, room: int) -> Head:
    async with database.reading() as connection:
        (head,) = [each for each in await entries.heads(connection) if each.id == room]
        return head


async def log_of(database: Database, room: int) -> list[Entry]:
    """The room's entries as they stand."""
    head = await head_of(database, room)
    async with database.reading() as connection:
        return await entries.after(connection, head, 0, 10_000)


async def settled(writer: Writer, *acts: Act) -> list[Outcome | BaseException]:
    """The answers to acts that are queued together."""
    futures = [writer.submit(each) for each in acts]
    return await asyncio.gather(*futures, return_exceptions=True)


def seqs(answers: Sequence[Outcome | BaseException]) -> list[int | None]:
    """Where the first entry of each act went; None for one that was declined."""
    return [answer.placed[0].seq if isinstance(answer, Outcome) else None for answer in answers]


@asynccontextmanager
async def writing(
    database: Database, announce: Callable[[Sequence[Commit]], None] = lambda _: None
) -> AsyncIterator[Writer]:
    """A writer at work, as one process has it."""
    writer = Writer(database, announce)
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

"""A room's transcript as lines of JSON, each entry as it stands now."""

from __future__ import annotations

from collections.abc import AsyncIterator

from lounge.events import encode
from lounge.transcript import as_event
from storage import entries
from storage.database import Database
from storage.pages import PREFIX as PAGES
from storage.talks import PREFIX as TALKS

_PAGE = 200


async def export(database: Database, room: str) -> AsyncIterator[bytes]:
    """The room's events from the oldest to the head, as of one moment. Nothing for a talk, a page, no room.

    They are those that members read: personas, never doctors; a tombstone where text was redacted.
    """
    if room.startswith((TALKS, PAGES)):  # nobody but the two reads more than what was reported
        return
    async with database.reading() as connection:
        for head in await entries.heads(connection, [room]):
            seq = head.oldest - 1
            while page := await entries.after(connection, head, seq, _PAGE):
                seq = page[-1].seq
                for entry in page:
                    yield encode(as_event(entry))

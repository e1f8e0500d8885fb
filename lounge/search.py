"""Search over what a doctor may read: the tokenizer's words, newest first, each hit as it stands now."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta

from lounge import policy
from lounge.consults import Consults, is_consult, words_of
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.events import By, rfc3339
from lounge.oncall.places import Places, is_page
from lounge.personas import by, decode_badge
from lounge.rooms import Catalogue
from lounge.sanctions import Sanctions
from lounge.talks import Talks, is_talk
from storage import entries, index, talks
from storage.database import Database, StorageError
from storage.entries import Entry, Head
from storage.index import Hit, Position
from storage.tokenizer import query_terms, snippet

MOST_HITS = 50
MOST_WORDS = 16


@dataclass(frozen=True, slots=True)
class Found:
    """An entry that matches. `marks` are the matching stretches of `snippet`, in code points."""

    room: str
    seq: int
    snippet: str
    marks: Sequence[tuple[int, int]]
    at: str
    by: By


class Search:
    """Looks through one lounge store."""

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        talks: Talks | None = None,
        consults: Consults | None = None,
        pages: Places | None = None,
        sanctions: Sanctions | None = None,
    ) -> None:
        """Without `talks`, `consults` and `pages`, for the operator only."""
        self._database = database
        self._catalogue = catalogue
        self._talks = talks
        self._consults = consults
        self._pages = pages
        self._sanctions = sanctions

    async def find(
        self,
        doctor: Doctor | None,
        query: str,
        room: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> tuple[list[Found], str | None]:
        """Hits and, when there are more, where to go on. `doctor` None: the operator, every room that is
        not of two.

        Raises Refusal for a query without words, an unknown room or a cursor that is not ours.
        """
        words = query_terms(query)[:MOST_WORDS]
        if not words:
            raise Refusal(Code.INVALID, "refusal.no_words", field="q")
        limit = max(1, min(limit, MOST_HITS))
        after = None if cursor is None else _position(cursor)
        try:
            return await self._find(doctor, query, words, room, limit, after)
        except StorageError:
            raise Refusal(Code.STORAGE, "refusal.storage", retry_after=2) from None

    async def _find(
        self,
        doctor: Doctor | None,
        query: str,
        words: Sequence[tuple[str, ...]],
        room: str | None,
        limit: int,
        after: Position | None,
    ) -> tuple[list[Found], str | None]:
        own = await self._own(doctor, room)
        consults = room is None and (doctor is None or (doctor.verified and doctor.accepted))
        async with self._database.reading() as connection:
            heads = self._readable(await talks.heads(connection, own), doctor, room, own)
            numbers = [head.id for head in heads.values()]
            hits = await index.find(connection, words, numbers, limit + 1, after, consults=consults)
            rest = {hit.room for hit in hits} - heads.keys()
            heads |= {head.slug: head for head in await entries.heads(connection, rest)}
            standing: dict[tuple[str, int], Entry] = {}
            for slug, seqs in _by_room(hits[:limit]).items():
                for each in await entries.at(connection, heads[slug], seqs):
                    standing[slug, each.seq] = each
        open_to = [hit for hit in hits[:limit] if self._is_open(doctor, hit.room)]
        found = [_found(standing[hit.room, hit.seq], query) for hit in open_to]
        return found, _cursor(hits[limit - 1]) if len(hits) > limit else None

    async def _own(self, doctor: Doctor | None, room: str | None) -> frozenset[str]:
        """Talks to look through: only who is one of the two finds what was said. Or `room`, of that kind.

        Raises Refusal.
        """
        if doctor is None:
            return frozenset({room} if room is not None and is_consult(room) else ())
        assert self._talks is not None
        if room is not None and self._sanctions is not None:
            self._sanctions.may_enter(doctor.id, room)
        if room is None:
            return frozenset(each.talk.slug for each in await self._talks.of(doctor))
        if is_talk(room):
            return frozenset({(await self._talks.admit(doctor, room)).talk.slug})
        if is_page(room):
            assert self._pages is not None
            return frozenset({(await self._pages.admit(doctor, room)).page.slug})
        if is_consult(room):
            assert self._consults is not None
            return frozenset({(await self._consults.admit(doctor, room)).id})
        policy.admit(doctor, room, self._catalogue)
        return frozenset()

    def _readable(
        self, heads: Sequence[Head], doctor: Doctor | None, room: str | None, own: frozenset[str]
    ) -> dict[str, Head]:
        return {
            head.slug: head
            for head in heads
            if (room is None or head.slug == room)
            and (head.slug in own or self._may_read(doctor, head.slug))
        }

    def _may_read(self, doctor: Doctor | None, slug: str) -> bool:
        if doctor is None:
            return True
        room = self._catalogue.find(slug)
        return room is not None and policy.may_enter(doctor, room, self._catalogue)

    def _is_open(self, doctor: Doctor | None, slug: str) -> bool:
        """She was not removed from there."""
        if doctor is None or self._sanctions is None:
            return True
        try:
            self._sanctions.may_enter(doctor.id, slug)
        except Refusal:
            return False
        return True


def _by_room(hits: Sequence[Hit]) -> dict[str, list[int]]:
    rooms: dict[str, list[int]] = {}
    for hit in hits:
        rooms.setdefault(hit.room, []).append(hit.seq)
    return rooms


def _found(entry: Entry, query: str) -> Found:
    body = entry.body or {}
    text, marks = snippet(body.get("text") or words_of(body), query)
    badge = decode_badge(entry.badge)
    speaker = by(entry.persona or b"", entry.face or "anonymous", badge, entry.name)
    return Found(entry.room, entry.seq, text, marks, rfc3339(entry.at), speaker)


def _cursor(hit: Hit) -> str:
    packed = msgspec.msgpack.encode((hit.at, hit.room_id, hit.seq))
    return base64.urlsafe_b64encode(packed).decode()


def _position(cursor: str) -> Position:
    try:
        place = base64.urlsafe_b64decode(cursor.encode())
        return Position(*msgspec.msgpack.decode(place, type=_PLACE))
    except ValueError:
        raise Refusal(Code.INVALID, "refusal.cursor", field="cursor") from None


_PLACE = tuple[
    Annotated[int, Meta(ge=0, le=2**53)],
    Annotated[int, Meta(ge=0, lt=2**31)],
    Annotated[int, Meta(ge=0, le=2**53)],
]
"""What a cursor holds: no number in it is larger than its column."""

"""Entries: read as they stand at the room's head, and the guarded steps that change their standing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage import consults, pages, polls
from storage.acts import Placed, Step
from storage.consults import PREFIX as CONSULT
from storage.database import Database
from storage.schema import entry, persona, reaction, receipt, room

MOST_CHANGES = 500
HIDEABLE = frozenset(
    (
        *("say", "poll.open", "consult.open", "consult.card", "consult.reveal", "consult.merge"),
        *("consult.decided", "consult.outcome", "page.open"),
    )
)
"""Kinds of entries with words in them, which a moderator can take out of the log."""
BESIDES = ("edit", "withdraw", "mod.caution")
"""Kinds of entries with words about another one: they go with it."""


@dataclass(frozen=True, slots=True)
class Head:
    """A room's newest and oldest seq, and how many says it has had."""

    id: int
    slug: str
    seq: int
    oldest: int
    says: int


@dataclass(frozen=True, slots=True)
class Version:
    """A text that a say had before, and when it was corrected, in ms."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """An edit or a withdrawal: of the entry at `target`, by its persona."""

    seq: int
    target: int
    persona: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands at `as_of`, the room's head when it was read. `body` is None once redacted.

    In a consult a say has its earlier texts as `versions`, the oldest first, and is perhaps `withdrawn`.
    """

    room: str
    seq: int
    id: str
    kind: str
    at: int
    persona: bytes | None
    face: str | None
    badge: str | None
    name: str | None
    target: int | None
    says: int
    edited: int | None
    redacted: int | None
    body: dict[str, Any] | None
    reactions: tuple[tuple[str, int], ...]
    as_of: int
    versions: tuple[Version, ...] = ()
    withdrawn: int | None = None
    folded: bool = False
    """Of a case or a card of one: it has come further than when it was written."""
    hidden: dict[str, Any] | None = None
    """What the `mod.hide` in force says, if there is one: `body` is None then."""
    caution: dict[str, Any] | None = None
    """What the last `mod.caution` about it says."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A persona as its row shows it. `badge` is JSON; `name` None in rows older than names are kept."""

    face: str
    badge: str
    name: str | None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What a guard compares: whose say it is, whether it still is one, its last edit and text.

    `shown`: how its persona is; `target`: what it answers; `body`: what it was kept with at first.
    """

    kind: str
    persona: bytes | None
    edited: int | None
    redacted: int | None
    text: str
    edits: tuple[int, ...]
    shown: Shown | None = None
    target: int | None = None
    withdrawn: int | None = None
    body: dict[str, Any] = field(default_factory=dict, compare=False)
    hidden: int | None = None

    @property
    def is_gone(self) -> bool:
        """Nobody reads it: redacted, or hidden."""
        return self.redacted is not None or self.hidden is not None

    @property
    def sort(self) -> str | None:
        """In a consult: a warning, a question or neither."""
        return self.body.get("sort")


# -- rooms ---------------------------------------------------------------------------------------


async def room_id(database: Database, slug: str) -> int:
    """The number of a room, given one the first time it is asked for. Raises StorageError."""
    async with database.reading() as connection:
        found = await _room_id(connection, slug)
    if found is not None:
        return found
    async with database.writing() as connection:
        found = await _room_id(connection, slug)
        if found is None:
            try:
                async with connection.begin_nested():
                    await connection.execute(room.insert().values(slug=slug))
            except IntegrityError:  # another process was first; its row is what we want
                return await _must_room_id(connection, slug)
        return await _must_room_id(connection, slug)


async def heads(connection: AsyncConnection, slugs: Iterable[str] | None = None) -> list[Head]:
    """The heads of these rooms, or of all that anybody ever entered."""
    statement = select(room.c.id, room.c.slug, room.c.last_seq, room.c.oldest, room.c.says)
    if slugs is not None:
        statement = statement.where(room.c.slug.in_(list(slugs)))
    return [Head(*row) for row in await connection.execute(statement)]


async def _room_id(connection: AsyncConnection, slug: str) -> int | None:
    return (await connection.execute(select(room.c.id).where(room.c.slug == slug))).scalar()


async def _must_room_id(connection: AsyncConnection, slug: str) -> int:
    found: int = (
        await connection.execute(select(room.c.id).where(room.c.slug == slug))
    ).scalar_one()
    return found


# -- reading -------------------------------------------------------------------------------------


async def after(connection: AsyncConnection, head: Head, seq: int, limit: int) -> list[Entry]:
    """Up to `limit` entries that follow `seq`, in order, as they stand at head."""
    return await _page(connection, head, entry.c.seq > seq, entry.c.seq.asc(), limit)


async def before(connection: AsyncConnection, head: Head, seq: int, limit: int) -> list[Entry]:
    """Up to `limit` entries that precede `seq`, ascending, as they stand at head."""
    return (await _page(connection, head, entry.c.seq < seq, entry.c.seq.desc(), limit))[::-1]


async def at(connection: AsyncConnection, head: Head, seqs: Sequence[int]) -> list[Entry]:
    """Just these entries, ascending, as they stand at head."""
    return await _page(connection, head, entry.c.seq.in_(seqs), entry.c.seq.asc(), len(seqs))


async def seq_of_say(connection: AsyncConnection, room_number: int, count: int) -> int:
    """The seq of the room's `count`-th say (1-based); 1 when count is below 1."""
    if count < 1:
        return 1
    before = (  # from the end: who asks, asks for one of the last says
        select(entry.c.seq)
        .where(entry.c.room_id == room_number, entry.c.says < count)
        .order_by(entry.c.seq.desc())
        .limit(1)
    )
    return ((await connection.execute(before)).scalar() or 0) + 1


async def says_at(connection: AsyncConnection, room_number: int, seq: int) -> int:
    """How many says the room had up to and with `seq`."""
    statement = (
        select(entry.c.says)
        .where(entry.c.room_id == room_number, entry.c.seq <= seq)
        .order_by(entry.c.seq.desc())
        .limit(1)
    )
    return (await connection.execute(statement)).scalar() or 0


async def standing(connection: AsyncConnection, room_number: int, seq: int) -> Standing | None:
    """What is true of one entry now; None when there is none."""
    statement = (
        select(
            *(entry.c.kind, entry.c.persona, entry.c.edited, entry.c.redacted, entry.c.body),
            *(entry.c.target, entry.c.withdrawn, entry.c.hidden),
            *(persona.c.face, persona.c.badge, persona.c.name, persona.c.exact),
        )
        .select_from(entry.outerjoin(persona, persona.c.id == entry.c.persona))
        .where(entry.c.room_id == room_number, entry.c.seq == seq)
    )
    found = (await connection.execute(statement)).one_or_none()
    if found is None:
        return None
    kind, owner, edited, redacted, body, target, withdrawn, hidden, *shown = found
    edits = await connection.execute(_EDITS_OF, {"room": room_number, "seqs": [seq]})
    bodies = {row.seq: row.body for row in edits}
    text = _decode(bodies.get(edited, body) if edited else body).get("text", "")
    standing = Standing(kind, owner, edited, redacted, text, tuple(sorted(bodies)))
    return replace(
        standing,
        shown=_shown(*shown),
        target=target,
        withdrawn=withdrawn,
        body=_decode(body),
        hidden=hidden,
    )


async def changes(
    connection: AsyncConnection, room_number: int, after: int, upto: int, also: Sequence[int] = ()
) -> list[Change]:
    """Edits and withdrawals in (`after`, `upto`], and those at `also`, ascending; the last 500.

    Without those whose words a moderator has taken away.
    """
    said = entry.alias()
    statement = (
        select(entry.c.seq, entry.c.target, entry.c.persona)
        .join(said, (said.c.room_id == entry.c.room_id) & (said.c.seq == entry.c.target))
        .where(
            entry.c.room_id == room_number,
            or_(and_(entry.c.seq > after, entry.c.seq <= upto), entry.c.seq.in_(also)),
            entry.c.kind.in_(_CHANGING),
            said.c.redacted.is_(None),
            said.c.hidden.is_(None),
        )
        .order_by(entry.c.seq.desc())
        .limit(MOST_CHANGES)
    )
    rows = await connection.execute(statement)
    return [Change(row.seq, row.target, bytes(row.persona)) for row in rows][::-1]


async def of_kinds(
    connection: AsyncConnection, room_number: int, kinds: Collection[str]
) -> list[int]:
    """The seqs of a room's entries of these kinds that stand."""
    statement = select(entry.c.seq).where(
        entry.c.room_id == room_number, entry.c.kind.in_(kinds), entry.c.redacted.is_(None)
    )
    return list((await connection.execute(statement)).scalars())


async def change_at(connection: AsyncConnection, room_number: int, seq: int) -> Change | None:
    """The edit or withdrawal at `seq`; None when there is none."""
    return next(iter(await changes(connection, room_number, seq - 1, seq)), None)


def _shown(face: str | None, badge: str, name: str | None, exact: bool) -> Shown | None:
    return None if face is None else Shown(face, badge, name, exact)


async def _page(
    connection: AsyncConnection, head: Head, where: Any, order: Any, limit: int
) -> list[Entry]:
    statement = (
        select(*_COLUMNS)
        .select_from(entry.outerjoin(persona, persona.c.id == entry.c.persona))
        .where(entry.c.room_id == head.id, where)
        .order_by(order)
        .limit(limit)
    )
    rows = (await connection.execute(statement)).all()
    told = await _moderated(connection, head, rows)
    found = [_record(row, head, told) for row in rows]
    return await _stated(connection, head, await _folded(connection, head, found))


async def _moderated(
    connection: AsyncConnection, head: Head, rows: Sequence[Any]
) -> dict[int, dict[str, Any]]:
    """What hides or disputes these entries, by its seq."""
    seqs = {seq for row in rows for seq in (row.hidden, row.caution) if seq is not None}
    if not seqs:
        return {}
    query = select(entry.c.seq, entry.c.body).where(
        entry.c.room_id == head.id, entry.c.seq.in_(seqs), entry.c.body.is_not(None)
    )
    return {row.seq: _decode(row.body) for row in await connection.execute(query)}


def _record(row: Any, head: Head, told: dict[int, dict[str, Any]]) -> Entry:
    is_shown = row.body is not None and row.hidden is None
    return Entry(
        room=head.slug,
        seq=row.seq,
        id=row.id,
        kind=row.kind,
        at=row.at,
        persona=row.persona,
        face=row.face,
        badge=row.badge,
        name=row.name,
        target=row.target,
        says=row.says,
        edited=row.edited,
        redacted=row.redacted,
        body=_decode(row.body) if is_shown else None,
        reactions=(),
        as_of=head.seq,
        withdrawn=row.withdrawn,
        hidden=told.get(row.hidden) if row.redacted is None else None,
        caution=told.get(row.caution) if is_shown else None,
    )


async def _stated(connection: AsyncConnection, head: Head, page: list[Entry]) -> list[Entry]:
    """Let a case, and each card of one, tell how it stands at head."""
    put = [each.seq for each in page if each.kind in _STATED and each.body is not None]
    states = await consults.states(connection, head.id, put) if put else {}
    if any(each.kind == "page.open" for each in page):
        states = await pages.states(connection, head.id)
    asked = [each.seq for each in page if each.kind == "poll.open" and each.body is not None]
    told = await polls.states(connection, head.id, asked) if asked else {}
    return [_told(_in_state(each, states.get(each.seq)), told.get(each.seq)) for each in page]


def _in_state(each: Entry, now: dict[str, Any] | None) -> Entry:
    if now is None or each.body is None or now == each.body["state"]:
        return each
    return replace(each, body={**each.body, "state": now}, folded=True)


def _told(each: Entry, now: dict[str, Any] | None) -> Entry:
    """A poll with what is known of its votes."""
    return replace(each, body={**(each.body or {}), **now}, folded=True) if now else each


async def _folded(connection: AsyncConnection, head: Head, page: list[Entry]) -> list[Entry]:
    """Give says their current text and reactions, and older edits the text that is current.

    In a consult an edit keeps the text that it brought, and the say has those that it had before.
    """
    says = [each.seq for each in page if each.kind == "say" and each.body is not None]
    keeps = head.slug.startswith(CONSULT)
    edits = [each for each in page if each.kind == "edit" and each.body is not None and not keeps]
    changed = [each.seq for each in page if each.kind == "say" and each.edited]
    targets = sorted({*changed, *(each.target for each in edits if each.target)})
    texts = await _edits(connection, head.id, targets) if targets else {}
    counts = await _reactions(connection, head.id, says) if says else {}
    return [_stand(each, texts, counts, keeps) for each in page]


def _stand(
    each: Entry,
    texts: dict[int, list[Version]],
    counts: dict[int, list[tuple[str, int]]],
    keeps: bool,
) -> Entry:
    if each.body is None:
        return each
    subject = each.seq if each.kind == "say" else each.target
    body, versions = each.body, each.versions
    if each.kind == "say" or (each.kind == "edit" and not keeps):
        edits = texts.get(subject or 0, [])
        versions = _earlier(body["text"], edits) if keeps else ()
        body = {**body, "text": edits[-1].text} if edits else body
    return replace(each, body=body, reactions=tuple(counts.get(each.seq, ())), versions=versions)


def _earlier(first: str, edits: list[Version]) -> tuple[Version, ...]:
    """What a say read before each edit, and the time of that edit."""
    texts = [first, *(edit.text for edit in edits)]
    return tuple(Version(edit.at, text) for edit, text in zip(edits, texts, strict=False))


async def _edits(
    connection: AsyncConnection, room_number: int, targets: Sequence[int]
) -> dict[int, list[Version]]:
    """Time and text of each edit of these says, by say, the last one last."""
    rows = await connection.execute(_EDITS_OF, {"room": room_number, "seqs": list(targets)})
    made: dict[int, list[Version]] = defaultdict(list)
    for row in rows:
        if row.body is not None:
            made[row.target].append(Version(row.at, _decode(row.body)["text"]))
    return made


async def _reactions(
    connection: AsyncConnection, room_number: int, seqs: Sequence[int]
) -> dict[int, list[tuple[str, int]]]:
    counts: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for row in await connection.execute(
        _COUNT_REACTIONS, {"room": room_number, "seqs": list(seqs)}
    ):
        counts[row.target].append((row.emoji, row.n))
    return counts


def _decode(body: bytes | None) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(body) if body else {}
    return decoded


# -- the guarded steps ---------------------------------------------------------------------------


def say_stands(
    room_number: int, seq: int, *, not_by: Collection[bytes] = (), in_force: bool = False
) -> Step:
    """Guard: there is a say at `seq`, it was not redacted or hidden, and none of these personas said it.

    `in_force`: nor was it withdrawn.
    """
    statement = select(entry.c.seq).where(
        entry.c.room_id == room_number,
        entry.c.seq == seq,
        entry.c.kind == "say",
        entry.c.redacted.is_(None),
        entry.c.hidden.is_(None),
    )
    if not_by:
        statement = statement.where(entry.c.persona.not_in(not_by))
    if in_force:
        statement = statement.where(entry.c.withdrawn.is_(None))
    return Step(statement, rows=1)


def mark_edited(room_number: int, seq: int, owner: bytes, was: int | None) -> Step:
    """Guard and change: the owner's say, last edited at `was`, is now edited by this act."""
    return _mark("edited", room_number, seq, owner, was)


def mark_withdrawn(room_number: int, seq: int, owner: bytes, was: int | None) -> Step:
    """Guard and change: the owner's say, last edited at `was`, is withdrawn by this act; its words stay."""
    return _mark("withdrawn", room_number, seq, owner, was)


def erase(room_number: int, seq: int, was: int | None, withdrawn: int | None = None) -> list[Step]:
    """Guard and changes: a say or another entry with words, what is about it and its reactions lose what
    they held.

    It was last edited at `was`, and withdrawn at `withdrawn`.
    """
    gone: dict[str, Any] = {"redacted": bindparam("act_seq"), "body": None, "salt": None}
    the_say = (
        update(entry)
        .where(
            entry.c.room_id == room_number,
            entry.c.seq == seq,
            entry.c.kind.in_(HIDEABLE),
            entry.c.redacted.is_(None),
            entry.c.edited.is_not_distinct_from(was),
            entry.c.withdrawn.is_not_distinct_from(withdrawn),
        )
        .values(gone)
    )
    its_edits = (
        update(entry)
        .where(entry.c.room_id == room_number, entry.c.target == seq, entry.c.kind.in_(BESIDES))
        .values(gone)
    )
    its_reactions = delete(reaction).where(
        reaction.c.room_id == room_number, reaction.c.target == seq
    )
    return [
        Step(the_say, rows=1, numbered=True),
        Step(its_edits, numbered=True),
        Step(its_reactions),
    ]


def put_reaction(
    is_sqlite: bool, room_number: int, seq: int, emoji: str, owner: bytes, on: bool
) -> Step:
    """Guard and change: the persona's reaction is now on (or off) and was not before."""
    key = {"room_id": room_number, "target": seq, "emoji": emoji, "persona": owner}
    if not on:
        statement: Any = (
            update(reaction)
            .where(*(reaction.c[name] == value for name, value in key.items()))
            .where(reaction.c.on == true())
            .values(on=False, seq=bindparam("act_seq"))
        )
        return Step(statement, rows=1, numbered=True)
    insert = sqlite.insert if is_sqlite else postgresql.insert
    statement = insert(reaction).values(**key, seq=bindparam("act_seq"), on=True)
    statement = statement.on_conflict_do_update(
        index_elements=list(key),
        set_={"on": True, "seq": statement.excluded.seq},
        where=~reaction.c.on,
    )
    return Step(statement, rows=1, numbered=True)


async def reaction_entry(
    connection: AsyncConnection, room_number: int, seq: int, emoji: str, owner: bytes, on: bool
) -> Placed | None:
    """The entry that put this reaction as asked; None when it does not stand so."""
    statement = (
        select(entry.c.seq, entry.c.id, entry.c.at, entry.c.says)
        .select_from(
            reaction.join(
                entry, (entry.c.room_id == reaction.c.room_id) & (entry.c.seq == reaction.c.seq)
            )
        )
        .where(
            reaction.c.room_id == room_number,
            reaction.c.target == seq,
            reaction.c.emoji == emoji,
            reaction.c.persona == owner,
            reaction.c.on == on,
        )
    )
    found = (await connection.execute(statement)).one_or_none()
    return None if found is None else Placed(*found)


async def reactors(
    connection: AsyncConnection, room_number: int, seq: int, emoji: str
) -> list[bytes]:
    """As whom doctors have put that reaction to the say at `seq`."""
    statement = select(reaction.c.persona).where(
        reaction.c.room_id == room_number,
        reaction.c.target == seq,
        reaction.c.emoji == emoji,
        reaction.c.on == true(),
    )
    return [bytes(each) for each in (await connection.execute(statement)).scalars()]


async def receipt_of(
    connection: AsyncConnection, dedup: bytes
) -> tuple[bytes, tuple[Placed, ...]] | None:
    """The fingerprint and the places of the act that a client id made before; None if it made none."""
    found = (await connection.execute(FIND_RECEIPTS, {"dedups": [dedup]})).one_or_none()
    return None if found is None else as_receipt(found)


def as_receipt(row: Any) -> tuple[bytes, tuple[Placed, ...]]:
    """A row of FIND_RECEIPTS."""
    placed = (Placed(row.seq, row.id, row.at, row.says),) if row.id else ()
    return bytes(row.fingerprint), placed


FIND_RECEIPTS = (
    select(
        receipt.c.dedup,
        receipt.c.fingerprint,
        receipt.c.seq,
        entry.c.id,
        entry.c.at,
        entry.c.says,
    )
    .select_from(
        receipt.outerjoin(
            entry, (entry.c.room_id == receipt.c.room_id) & (entry.c.seq == receipt.c.seq)
        )
    )
    .where(receipt.c.dedup.in_(bindparam("dedups", expanding=True)))
)

_CHANGING = ("edit", "withdraw")
_COLUMNS = (
    entry.c.seq,
    entry.c.id,
    entry.c.kind,
    entry.c.at,
    entry.c.persona,
    persona.c.face,
    persona.c.badge,
    persona.c.name,
    entry.c.target,
    entry.c.says,
    entry.c.edited,
    entry.c.redacted,
    entry.c.withdrawn,
    entry.c.hidden,
    entry.c.caution,
    entry.c.body,
)
_STATED = ("consult.open", "consult.card")
_EDITS_OF = (
    select(entry.c.seq, entry.c.target, entry.c.at, entry.c.body)
    .where(
        entry.c.room_id == bindparam("room"),
        entry.c.target.in_(bindparam("seqs", expanding=True)),
        entry.c.kind == "edit",
    )
    .order_by(entry.c.seq)
)
_COUNT_REACTIONS = (
    select(reaction.c.target, reaction.c.emoji, func.count().label("n"))
    .where(
        reaction.c.room_id == bindparam("room"),
        reaction.c.target.in_(bindparam("seqs", expanding=True)),
        reaction.c.on == true(),
    )
    .group_by(reaction.c.target, reaction.c.emoji)
    .order_by(func.min(reaction.c.seq))
)


def _mark(column: str, room_number: int, seq: int, owner: bytes, was: int | None) -> Step:
    statement = (
        update(entry)
        .where(
            entry.c.room_id == room_number,
            entry.c.seq == seq,
            entry.c.kind == "say",
            entry.c.persona == owner,
            entry.c.redacted.is_(None),
            entry.c.hidden.is_(None),
            entry.c.withdrawn.is_(None),
            entry.c.edited.is_not_distinct_from(was),
        )
        .values({column: bindparam("act_seq")})
    )
    return Step(statement, rows=1, numbered=True)

"""Consults: cases put to all, where each is announced, how far it has come, who looks at it just now."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import card, consult, entry, look, persona, room

PREFIX = "consult/"
OPEN, REVEALED, DECIDED, OUTCOME = "open", "revealed", "decided", "outcome"
PHASES = (OPEN, REVEALED, DECIDED, OUTCOME)
NOW, TODAY, ROUTINE = "now", "today", "routine"
URGENCIES = (NOW, TODAY, ROUTINE)
"""The most urgent first."""
OPENING_SEQ = 1
"""The case itself is the first entry of its room."""


@dataclass(frozen=True, slots=True)
class Consult:
    """A case: its room (slug, number), its author's persona there, and how far it has come.

    `told` opinions and `withdrawn` ones are as all know them. `first`, `revealed`, `decided` and `outcome`
    are seqs in its room: of the update that told of the first opinion, and of those entries. `opened` and
    `closes` are ms. `question` is None once a moderator has hidden the case.
    """

    slug: str
    room_id: int
    author: bytes
    urgency: str
    specialties: tuple[str, ...]
    state: str
    opened: int
    closes: int | None
    enough: int | None
    told: int = 0
    withdrawn: int = 0
    first: int | None = None
    revealed: int | None = None
    decided: int | None = None
    outcome: int | None = None
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """Where a consult is announced."""

    room_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A consult as a board shows it: with its author as shown (`badge` is JSON), how many look at it now."""

    consult: Consult
    face: str
    badge: str
    name: str | None
    looking: int


@dataclass(frozen=True, slots=True)
class Timed:
    """When a case was put (ms, as the log has it), and when it was told of a first opinion, if it was."""

    opened: int
    first: int | None


# -- reading -------------------------------------------------------------------------------------


async def by_slug(connection: AsyncConnection, slugs: Collection[str]) -> dict[str, Consult]:
    """Those of these consults that there are."""
    found = await connection.execute(_CONSULTS.where(consult.c.slug.in_(list(slugs))))
    return {each.slug: each for each in map(_consult, found)}


async def cards(connection: AsyncConnection, slug: str) -> list[Card]:
    """Where it is announced; fixed when it is opened."""
    found = select(card.c.room_id, card.c.seq).where(card.c.consult == slug)
    return [Card(*row) for row in await connection.execute(found.order_by(card.c.room_id))]


async def carded(connection: AsyncConnection, room_slug: str, seq: int) -> str | None:
    """The consult that the entry there announces; None when it is no card."""
    here = card.join(room, room.c.id == card.c.room_id)
    found = select(card.c.consult).select_from(here)
    found = found.where(room.c.slug == room_slug, card.c.seq == seq)
    return (await connection.execute(found)).scalar()


async def states(
    connection: AsyncConnection, room_number: int, seqs: Collection[int]
) -> dict[int, dict[str, Any]]:
    """How the consults stand whose cards, or whose own opening, are at these seqs of a room: by seq."""
    values = {"room": room_number, "seqs": list(seqs)}
    found = {row.seq: state_of(row) for row in await connection.execute(_BY_CARD, values)}
    if OPENING_SEQ in seqs:
        own = (await connection.execute(_BY_ROOM, {"room": room_number})).one_or_none()
        if own is not None:
            found[OPENING_SEQ] = state_of(own)
    return found


def state_of(row: Any) -> dict[str, Any]:
    """A consult, or a row of one, as events tell its state."""
    told = {"phase": row.state, "opinions": row.told}
    return {**told, "withdrawn": row.withdrawn} if row.withdrawn else told


async def listed(
    connection: AsyncConnection,
    *,
    now: int,
    limit: int,
    phases: Collection[str],
    urgency: str | None = None,
    specialty: str | None = None,
) -> list[Listed]:
    """Those who wait for a first opinion come first; then by urgency; then the oldest of those that are open,
    and the newest of the others.
    """
    found = _LISTED.where(consult.c.state.in_(list(phases)))
    if urgency is not None:
        found = found.where(consult.c.urgency == urgency)
    if specialty is not None:
        spaced = " " + consult.c.specialties + " "
        found = found.where(spaced.contains(f" {specialty} ", autoescape=True))
    rows = await connection.execute(found.limit(limit), {"now": now})
    return [
        Listed(_consult(row), row.face or "anonymous", row.badge or "{}", row.name, row.looking)
        for row in rows
    ]


async def timed(connection: AsyncConnection, since: int) -> list[Timed]:
    """The cases opened since then (ms), by the log's own times; neither hidden nor told by rows."""
    return [Timed(*row) for row in await connection.execute(_TIMED, {"since": since})]


# -- the guarded steps ---------------------------------------------------------------------------


def opening(new: Consult) -> Step:
    """Change: there is this case."""
    row = {
        "slug": new.slug,
        "room_id": new.room_id,
        "author": new.author,
        "urgency": new.urgency,
        "specialties": " ".join(new.specialties),
        "state": new.state,
        "opened": new.opened,
        "closes": new.closes,
        "enough": new.enough,
    }
    return Step(insert(consult).values(**row))


def announcing(slug: str, room_number: int) -> Step:
    """Change: the act's first entry in that room is a card of the case."""
    row = {"room_id": room_number, "seq": bindparam("act_seq"), "consult": slug}
    return Step(insert(card).values(**row), numbered=True, room_id=room_number)


def counting(was: Consult, opinions: int) -> Step:
    """Guard and change: `opinions` are told from now on, by the act's first entry in the case's room.

    Only while it is open. This guard, as the next two, holds only while the case stands as when `was` was
    read, so that what the act tells of it is true.
    """
    values: dict[str, Any] = {"told": opinions}
    if opinions:
        values["first"] = func.coalesce(consult.c.first, bindparam("act_seq"))
    here = and_(_stands(was), consult.c.state == OPEN)
    statement = update(consult).where(here).values(**values)
    return Step(statement, rows=1, numbered=bool(opinions), room_id=was.room_id)


def moving(was: Consult, state: str, opinions: int | None = None) -> Step:
    """Guard and change: it goes from `was.state` to `state`, by the act's first entry in its room.

    With `opinions`, so many are told from now on.
    """
    values: dict[str, Any] = {"state": state, state: bindparam("act_seq")}
    if opinions is not None:
        values["told"] = opinions
        if opinions:
            values["first"] = func.coalesce(consult.c.first, bindparam("act_seq"))
    statement = update(consult).where(_stands(was)).values(**values)
    return Step(statement, rows=1, numbered=True, room_id=was.room_id)


def withdrawing(was: Consult) -> Step:
    """Guard and change: one opinion more was withdrawn than when `was` was read."""
    more = update(consult).where(_stands(was)).values(withdrawn=was.withdrawn + 1)
    return Step(more, rows=1)


def stands(slug: str, *phases: str) -> Step:
    """Guard: the case is in one of these phases."""
    here = (consult.c.slug == slug) & consult.c.state.in_(phases)
    return Step(select(consult.c.slug).where(here), rows=1)


# -- looking -------------------------------------------------------------------------------------


async def look_at(
    connection: AsyncConnection, is_sqlite: bool, key: bytes, slug: str, until: int, now: int
) -> None:
    """Somebody looks at it until then (ms). Whatever has lapsed is forgotten with it."""
    await connection.execute(delete(look).where(look.c.until <= now))
    making = sqlite.insert(look) if is_sqlite else postgresql.insert(look)
    made = making.values(key=key, consult=slug, until=until)
    put = made.on_conflict_do_update(index_elements=["key"], set_={"until": made.excluded.until})
    await connection.execute(put)


async def look_away(connection: AsyncConnection, key: bytes) -> None:
    """No longer."""
    await connection.execute(delete(look).where(look.c.key == key))


# -- privates ------------------------------------------------------------------------------------


def _stands(was: Consult) -> Any:
    return and_(
        consult.c.slug == was.slug,
        consult.c.state == was.state,
        consult.c.told == was.told,
        consult.c.withdrawn == was.withdrawn,
    )


def _consult(row: Any) -> Consult:
    return Consult(
        slug=row.slug,
        room_id=row.room_id,
        author=bytes(row.author),
        urgency=row.urgency,
        specialties=tuple(row.specialties.split()),
        state=row.state,
        opened=row.opened,
        closes=row.closes,
        enough=row.enough,
        told=row.told,
        withdrawn=row.withdrawn,
        first=row.first,
        revealed=row.revealed,
        decided=row.decided,
        outcome=row.outcome,
        question=None if row.body is None else json.loads(row.body)["question"],
    )


_opened = entry.alias("opened")
_told = entry.alias("told")
_put = and_(_opened.c.room_id == consult.c.room_id, _opened.c.seq == OPENING_SEQ)
_body = case((_opened.c.hidden.is_(None), _opened.c.body), else_=None).label("body")
_CONSULTS: Select[Any] = select(consult, _body).select_from(consult.outerjoin(_opened, _put))
_STATE: Sequence[Any] = (consult.c.state, consult.c.told, consult.c.withdrawn)
_BY_CARD = (
    select(card.c.seq, *_STATE)
    .select_from(card.join(consult, consult.c.slug == card.c.consult))
    .where(
        card.c.room_id == bindparam("room"),
        card.c.seq.in_(bindparam("seqs", expanding=True)),
    )
)
_BY_ROOM = select(*_STATE).where(consult.c.room_id == bindparam("room"))
_looking = (
    select(func.count())
    .select_from(look)
    .where(look.c.consult == consult.c.slug, look.c.until > bindparam("now"))
    .scalar_subquery()
)
_rank = case({each: n for n, each in enumerate(URGENCIES)}, value=consult.c.urgency)
_is_open = consult.c.state == OPEN
_come = case({each: n for n, each in enumerate(PHASES)}, value=consult.c.state)
_waits = case((_is_open & (consult.c.told == 0), 0), else_=1)
_first_or_last = case((_is_open, consult.c.opened), else_=-consult.c.opened)
_LISTED: Select[Any] = (
    select(
        consult,
        _body,
        persona.c.face,
        persona.c.badge,
        persona.c.name,
        _looking.label("looking"),
    )
    .select_from(
        consult.outerjoin(_opened, _put).outerjoin(persona, persona.c.id == consult.c.author)
    )
    .order_by(_come, _waits, _rank, _first_or_last, consult.c.slug)
)
_TIMED = (
    select(_opened.c.at, _told.c.at)
    .select_from(
        consult.join(_opened, _put).outerjoin(
            _told, and_(_told.c.room_id == consult.c.room_id, _told.c.seq == consult.c.first)
        )
    )
    .where(_opened.c.at >= bindparam("since"))
    .order_by(_opened.c.at)
)

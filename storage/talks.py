"""Talks: two personas who met in a room, and how far it has come between them. Never a doctor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import LargeBinary, Text, and_, exists, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import PersonaRow, Step
from storage.consults import PREFIX as CONSULTS
from storage.entries import Head
from storage.pages import PREFIX as PAGES
from storage.schema import persona, room, talk

PREFIX = "talk/"
ASKED, OPEN, DECLINED, CLOSED = "asked", "open", "declined", "closed"
WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Voice:
    """One of the two: a persona of the room in which they met. `badge` is JSON."""

    id: bytes
    face: str
    badge: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Talk:
    """A talk: its room's slug, the room they met in, the two, and one of the states above."""

    slug: str
    origin: str
    state: str
    asker: Voice
    asked: Voice


# -- reading -------------------------------------------------------------------------------------


async def by_slug(connection: AsyncConnection, slugs: Collection[str]) -> dict[str, Talk]:
    """Those of these talks that there are."""
    found = await connection.execute(_TALKS.where(talk.c.slug.in_(slugs)))
    return {each.slug: each for each in map(_talk, found)}


async def home_of(connection: AsyncConnection, slug: str) -> str:
    """The room in which those who speak in `slug` are who they are: of a talk, where its two met."""
    found = (await connection.execute(select(talk.c.origin).where(talk.c.slug == slug))).scalar()
    return slug if found is None else str(found)


async def origins(connection: AsyncConnection) -> list[str]:
    """Every room in which somebody asked for a talk."""
    return list((await connection.execute(select(talk.c.origin).distinct())).scalars())


async def of(connection: AsyncConnection, personas: Collection[bytes]) -> list[Talk]:
    """The talks in which one of these personas is one of the two."""
    among = list(personas)
    found = _TALKS.where(or_(talk.c.asker.in_(among), talk.c.asked.in_(among)))
    return [_talk(row) for row in await connection.execute(found)]


async def between(
    connection: AsyncConnection, askers: Collection[bytes], other: bytes
) -> Talk | None:
    """What there is between `other` and one of these; what they asked for before what she did."""
    mine = list(askers)
    found = [
        _talk(row)
        for row in await connection.execute(
            _TALKS.where(
                or_(
                    talk.c.asker.in_(mine) & (talk.c.asked == other),
                    (talk.c.asker == other)
                    & talk.c.asked.in_(mine)
                    & talk.c.state.in_((ASKED, OPEN)),
                )
            )
        )
    ]
    found.sort(key=lambda each: (each.state != OPEN, each.asker.id == other))
    return found[0] if found else None


async def heads(connection: AsyncConnection, own: Iterable[str]) -> list[Head]:
    """The heads of all rooms but talks, consults and pages, and of these."""
    columns = select(room.c.id, room.c.slug, room.c.last_seq, room.c.oldest, room.c.says)
    readable = columns.where(
        or_(
            and_(*(room.c.slug.not_like(f"{each}%") for each in (PREFIX, CONSULTS, PAGES))),
            room.c.slug.in_(list(own)),
        )
    )
    return [Head(*row) for row in await connection.execute(readable)]


# -- the guarded steps ---------------------------------------------------------------------------


def asking(slug: str, origin: str, asker: bytes, asked: bytes, mine: Collection[bytes]) -> Step:
    """Guard and change: asked for, unless the asker, as whoever of `mine`, did so before or was asked."""
    own = list(mine)
    before = exists().where(
        or_(
            talk.c.asker.in_(own) & (talk.c.asked == asked),
            (talk.c.asker == asked) & talk.c.asked.in_(own) & talk.c.state.in_((ASKED, OPEN)),
        )
    )
    row = select(
        literal(slug, Text),
        literal(origin, Text),
        literal(asker, LargeBinary),
        literal(asked, LargeBinary),
        literal(ASKED, Text),
    ).where(~before)
    columns = ["slug", "origin", "asker", "asked", "state"]
    return Step(insert(talk).from_select(columns, row), rows=1)


def moving(slug: str, was: str, state: str) -> Step:
    """Guard and change: the talk goes from one state to the next."""
    here = (talk.c.slug == slug) & (talk.c.state == was)
    return Step(update(talk).where(here).values(state=state), rows=1)


def coarsening(row: PersonaRow) -> Step:
    """Change: the persona shows less from now on, unless somebody has changed what she shows."""
    here = (persona.c.id == row.id) & (persona.c.badge == row.was)
    return Step(update(persona).where(here).values(badge=row.badge))


def stands_open(slug: str) -> Step:
    """Guard: nobody has ended the talk."""
    return Step(select(talk.c.slug).where(talk.c.slug == slug, talk.c.state == OPEN), rows=1)


def _talk(row: Any) -> Talk:
    return Talk(
        row.slug,
        row.origin,
        row.state,
        Voice(bytes(row.asker), row.asker_face, row.asker_badge, row.asker_name),
        Voice(bytes(row.asked), row.asked_face, row.asked_badge, row.asked_name),
    )


_asker, _asked = persona.alias("one"), persona.alias("other")
_columns: Sequence[Any] = (
    talk.c.slug,
    talk.c.origin,
    talk.c.state,
    talk.c.asker,
    talk.c.asked,
    _asker.c.face.label("asker_face"),
    _asker.c.badge.label("asker_badge"),
    _asker.c.name.label("asker_name"),
    _asked.c.face.label("asked_face"),
    _asked.c.badge.label("asked_badge"),
    _asked.c.name.label("asked_name"),
)
_TALKS = select(*_columns).select_from(
    talk.join(_asker, _asker.c.id == talk.c.asker).join(_asked, _asked.c.id == talk.c.asked)
)

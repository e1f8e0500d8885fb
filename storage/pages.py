"""Pages: to a role on call, or a question to whoever is free; whom each was put to. Never a doctor."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.acts import Step
from storage.schema import alerted, entry, page

PREFIX = "page/"
PAGE, ASK = "page", "ask"
WAITING, SENT, ACCEPTED = "waiting", "sent", "accepted"
CLOSED, UNANSWERED, WITHDRAWN = "closed", "unanswered", "withdrawn"
LIVE = (WAITING, SENT, ACCEPTED)
"""In which something may be added to its room."""
OPENING_SEQ = 1
"""What was asked is the first entry of its room."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its room (slug, number), its two personas there, and how far it has come.

    `role` is the role paged, of an ask the specialty. `layer`: which is alerted; once accepted, in which
    capacity that was. `step` is the last that was taken, -1 before the first; of `policy` (JSON). `wanted`:
    how many must acknowledge, None where one answers. Times are ms.
    """

    slug: str
    room_id: int
    kind: str
    role: str
    urgency: str
    asker: bytes
    state: str
    policy: str
    opened: int
    formal: bool = False
    overridden: bool = False
    number: str | None = None
    step: int = -1
    version: int = 0
    acceptor: bytes | None = None
    layer: str | None = None
    until: int | None = None
    next: int | None = None
    declined: int = 0
    acknowledged: int = 0
    wanted: int | None = None
    sent: int | None = None
    delivered: int | None = None
    seen: int | None = None
    accepted: int | None = None
    answered: int | None = None
    closed: int | None = None
    consult: str | None = None

    @property
    def phase(self) -> str:
        """Its state as it is told: seen is not accepted."""
        if self.state == SENT:
            return "seen" if self.seen else "delivered" if self.delivered else SENT
        return "answered" if self.state == ACCEPTED and self.answered else self.state


@dataclass(frozen=True, slots=True)
class Alerted:
    """Somebody whom a page was put to, as known in its room; `reason` is a code. Times are ms."""

    page: str
    persona: bytes
    step: int
    layer: str | None
    at: int
    delivered: int | None = None
    seen: int | None = None
    accepted: int | None = None
    declined: int | None = None
    reason: str | None = None

    @property
    def may_answer(self) -> bool:
        """She has neither accepted nor declined."""
        return self.accepted is None and self.declined is None


# -- reading -------------------------------------------------------------------------------------


async def by_slug(connection: AsyncConnection, slugs: Collection[str]) -> dict[str, Page]:
    """Those of these pages that there are."""
    found = await connection.execute(select(page).where(page.c.slug.in_(list(slugs))))
    return {each.slug: each for each in map(_page, found)}


async def alerted_to(
    connection: AsyncConnection, slugs: Collection[str]
) -> dict[str, list[Alerted]]:
    """Whom each of these was put to, in the order in which they were."""
    query = select(alerted).where(alerted.c.page.in_(list(slugs)))
    rows = await connection.execute(query.order_by(alerted.c.at, alerted.c.persona))
    found: dict[str, list[Alerted]] = {}
    for row in rows:
        found.setdefault(row.page, []).append(Alerted(**row._mapping))
    return found


async def told(
    connection: AsyncConnection, room_numbers: Collection[int]
) -> dict[int, dict[str, Any]]:
    """What the first entry says in each of these pages' rooms, unless it was hidden."""
    query = select(entry.c.room_id, entry.c.body).where(
        entry.c.room_id.in_(list(room_numbers)),
        entry.c.seq == OPENING_SEQ,
        entry.c.redacted.is_(None),
        entry.c.hidden.is_(None),
    )
    return {row.room_id: json.loads(row.body) for row in await connection.execute(query)}


async def of_role(
    connection: AsyncConnection, role: str, since: int, until: int, limit: int, kind: str = PAGE
) -> list[Page]:
    """The newest pages to a role opened in [since, until), the oldest of them first."""
    found = select(page).where(
        page.c.kind == kind, page.c.role == role, page.c.opened >= since, page.c.opened < until
    )
    newest = found.order_by(page.c.opened.desc(), page.c.slug.desc()).limit(limit)
    return [_page(row) for row in await connection.execute(newest)][::-1]


async def standing(connection: AsyncConnection, state: str, kind: str, role: str) -> list[Page]:
    """The pages of a kind to a role (of an ask, a specialty) that are in that state, the oldest first."""
    found = select(page).where(page.c.state == state, page.c.kind == kind, page.c.role == role)
    rows = await connection.execute(found.order_by(page.c.opened, page.c.slug))
    return [_page(row) for row in rows]


async def states(connection: AsyncConnection, room_number: int) -> dict[int, dict[str, Any]]:
    """How the page of this room stands, if it is one, by the seq of its first entry."""
    found = select(page).where(page.c.room_id == room_number)
    row = (await connection.execute(found)).one_or_none()
    return {} if row is None else {OPENING_SEQ: state_of(_page(row))}


def state_of(it: Page) -> dict[str, Any]:
    """How it stands, as its events keep it; times in ms. What is not so is left out.

    How many declined an ask is not told: it would show how many were asked.
    """
    stamps = {name: getattr(it, name) for name in _STAMPS if getattr(it, name) is not None}
    told: dict[str, Any] = {"phase": it.phase, "stamps": stamps, "formal": it.formal}
    if it.step >= 0:
        policy = json.loads(it.policy)
        told |= {"step": it.step + 1, "steps": len(policy["steps"]) * policy["rounds"]}
    optional = {
        "until": it.until,
        "layer": it.layer,
        "next": it.next,
        "declined": it.declined or None if it.kind == PAGE else None,
        "wanted": it.wanted,
        "acknowledged": it.acknowledged or None,
    }
    return told | {name: value for name, value in optional.items() if value is not None}


# -- the guarded steps ---------------------------------------------------------------------------


def opening(new: Page) -> Step:
    """Change: there is this page."""
    return Step(insert(page).values(**_row(new)))


def changing(was: Page, **values: Any) -> tuple[Page, Step]:
    """How it stands with these values; and guard and change: it does, unless it has changed since `was`."""
    now = replace(was, **values, version=was.version + 1)
    here = (page.c.slug == was.slug) & (page.c.version == was.version)
    return now, Step(update(page).where(here).values(**values, version=now.version), rows=1)


def widening(slug: str, consult: str) -> Step:
    """Guard and change: it was widened into that consult, and into none before."""
    here = (page.c.slug == slug) & page.c.consult.is_(None)
    return Step(update(page).where(here).values(consult=consult), rows=1)


def stands_open(slug: str) -> Step:
    """Guard: something may be added to its room."""
    here = (page.c.slug == slug) & page.c.state.in_(LIVE)
    return Step(select(page.c.slug).where(here), rows=1)


def stands_at(was: Page) -> Step:
    """Guard: nothing of it has changed since `was`."""
    here = (page.c.slug == was.slug) & (page.c.version == was.version)
    return Step(select(page.c.slug).where(here), rows=1)


def alerting(whom: Alerted) -> Step:
    """Change: it is put to her; for the second time only the step and the layer are new."""
    return Step(_ALERT, _values(whom))


def answering(slug: str, persona: bytes, **values: Any) -> Step:
    """Change: of whom it was put to, these columns are set. The page's own change guards it."""
    here = (alerted.c.page == slug) & (alerted.c.persona == persona)
    return Step(update(alerted).where(here).values(**values))


def marking(slug: str, persona: bytes, **stamps: Any) -> Step:
    """Change: of whom it was put to, these columns are set where they are empty."""
    here = (alerted.c.page == slug) & (alerted.c.persona == persona)
    kept = {name: func.coalesce(alerted.c[name], value) for name, value in stamps.items()}
    return Step(update(alerted).where(here).values(**kept))


# -- privates ------------------------------------------------------------------------------------


def _page(row: Any) -> Page:
    return Page(**{name: row._mapping[name] for name in _COLUMNS})


def _row(new: Page) -> dict[str, Any]:
    return {name: getattr(new, name) for name in _COLUMNS}


def _values(whom: Alerted) -> Mapping[str, Any]:
    return {
        "page": whom.page,
        "persona": whom.persona,
        "step": whom.step,
        "layer": whom.layer,
        "at": whom.at,
    }


_ALERT = text(
    "INSERT INTO alerted (page, persona, step, layer, at)"
    " VALUES (:page, :persona, :step, :layer, :at)"
    " ON CONFLICT (page, persona) DO UPDATE SET step = excluded.step, layer = excluded.layer"
)
_STAMPS = ("sent", "delivered", "seen", "accepted", "answered", "closed")
_COLUMNS = tuple(each.name for each in fields(Page))

"""Services on call for processes that are served: written beside them, as they stand in SQL."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import select, text, update

from lounge.doctors import digest_of
from lounge.oncall.policy import EVERYONE, Policy, Step
from lounge.oncall.roles import Night, body_of
from lounge.oncall.turns import Layer, Rota, Rule
from storage import roles
from storage.database import Database
from storage.identity_schema import doctor, token
from storage.roles import Change, RoleRow

NUMBER = "+1 807 555 0100"
NEVER = Night("00:00", "00:00")
"""No night in which anything waits."""
AT_NIGHT = Night("22:00", "07:00")
_LONG_AGO = date(2020, 1, 6)
_ENDS = ("accepted", "unanswered", "withdrawn", "closed")


def soon(first: int, second: int, all_: int) -> Policy:
    """Primary, secondary, everyone, each for so many seconds."""
    steps = (Step(("primary",), first), Step(("secondary",), second), Step((EVERYONE,), all_))
    return Policy(steps)


async def put_role(
    identity_url: str,
    layers: Mapping[str, Sequence[str]],
    others: Sequence[str] = (),
    *,
    policy: Policy,
    night: Night = NEVER,
    zone: str = "America/Toronto",
    in_turn: bool = False,
    **other: Any,
) -> str:
    """A role's id. In each layer these doctors (ids) are on together, or a day each, from long ago on."""
    made = RoleRow(
        id=secrets.token_urlsafe(12),
        service="Neurology, Thunder Bay Regional",
        name="Neurologist on call",
        specialty="neurology",
        zone=zone,
        number=NUMBER,
        keeper=None,
        rule=None,
        body=body_of(
            Rota(tuple(_layer(name, whom, in_turn) for name, whom in layers.items())), policy, night
        ),
        version=1,
    )
    members = dict.fromkeys([each for whom in layers.values() for each in whom] + [*others])
    async with _open(identity_url) as identity, identity.writing() as connection:
        await roles.add(connection, replace(made, **other))
        for doctor_id in members:
            await roles.put_member(connection, made.id, doctor_id, 1)
    return made.id


async def put_changes(identity_url: str, *changes: Change) -> None:
    """Where the rota of a role does not hold, written beside what is served."""
    async with _open(identity_url) as identity, identity.writing() as connection:
        for each in changes:
            await roles.add_change(connection, each)


async def ids_of(identity_url: str, tokens: Sequence[str]) -> list[str]:
    """The doctors' ids, in the order of their tokens."""
    async with _open(identity_url) as identity, identity.reading() as connection:
        rows = await connection.execute(select(token.c.secret, token.c.doctor))
        by_digest = {bytes(row.secret): row.doctor for row in rows}
    return [by_digest[digest_of(each)] for each in tokens]


async def emails_of(identity_url: str, tokens: Sequence[str]) -> list[str]:
    """The same doctors' addresses."""
    ids = await ids_of(identity_url, tokens)
    async with _open(identity_url) as identity, identity.reading() as connection:
        rows = await connection.execute(select(doctor.c.id, doctor.c.email))
        by_id = {row.id: row.email for row in rows}
    return [by_id[each] for each in ids]


async def make_registrar(identity_url: str, email: str) -> None:
    roles_of = update(doctor).where(doctor.c.email == email).values(roles="doctor registrar")
    async with _open(identity_url) as identity, identity.writing() as connection:
        await connection.execute(roles_of)


@dataclass(frozen=True, slots=True)
class Told:
    """A page as its room's log tells of it: each state in order, and when that was (ms)."""

    room: str
    state: str
    """As the row has it."""
    states: list[tuple[int, dict[str, Any]]]

    @property
    def steps(self) -> list[tuple[int, dict[str, Any]]]:
        """The states in which a step was new."""
        found: list[tuple[int, dict[str, Any]]] = []
        for at, state in self.states:
            is_new = state.get("step") is not None and state["phase"] in _ALERTING
            if is_new and (not found or _step(state) != _step(found[-1][1])):
                found.append((at, state))
        return found

    @property
    def ends(self) -> list[str]:
        """The ends that it came to, one after the other; `closed` may follow `accepted`."""
        phases = ["accepted" if s["phase"] == "answered" else s["phase"] for _, s in self.states]
        return [p for n, p in enumerate(phases) if p in _ENDS and p not in phases[:n]]


async def told(lounge_url: str) -> list[Told]:
    """Every page there is."""
    query = text(
        "SELECT page.slug, page.state, entry.at, entry.body FROM page "
        "JOIN entry ON entry.room_id = page.room_id "
        "WHERE entry.kind IN ('page.open', 'page.update') ORDER BY page.slug, entry.seq"
    )
    found: dict[str, Told] = {}
    async with _open(lounge_url) as lounge, lounge.reading() as connection:
        for slug, state, at, body in await connection.execute(query):
            page = found.setdefault(slug, Told(slug, state, []))
            page.states.append((at, json.loads(body)["state"]))
    return list(found.values())


async def count(lounge_url: str, query: str, **values: Any) -> int:
    async with _open(lounge_url) as lounge, lounge.reading() as connection:
        return int((await connection.execute(text(query), values)).scalar() or 0)


async def put_forward(lounge_url: str, kind: str, room: str, at: int) -> None:
    """What is due about a room is due at another time."""
    move = text("UPDATE due SET at = :at WHERE kind = :kind AND subject = :room")
    async with _open(lounge_url) as lounge, lounge.writing() as connection:
        moved = await connection.execute(move, {"at": at, "kind": kind, "room": room})
        assert moved.rowcount == 1


# -- privates ------------------------------------------------------------------------------------

_ALERTING = ("sent", "delivered", "seen")


def _step(state: dict[str, Any]) -> Any:
    return state["step"], state.get("next")


def _layer(name: str, whom: Sequence[str], in_turn: bool) -> Layer:
    teams = tuple((each,) for each in whom) if in_turn else (tuple(whom),)
    return Layer(name, (Rule(doctors=teams, start=_LONG_AGO, at="08:00"),))


@asynccontextmanager
async def _open(url: str) -> Any:
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()

"""Roles on call for tests: who has which layer, from long ago until further notice."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import date
from itertools import chain
from typing import Any

from lounge.oncall.policy import DEFAULT, Policy
from lounge.oncall.roles import Night, body_of
from lounge.oncall.turns import Layer, Rota, Rule
from storage import roles
from storage.roles import RoleRow
from tests.support import House

NUMBER = "+1 807 555 0100"
NEVER = Night("00:00", "00:00")
"""No night in which anything waits."""
_LONG_AGO = date(2020, 1, 6)


async def role(
    house: House,
    on: dict[str, list[str]],
    *,
    members: list[str] | None = None,
    policy: Policy = DEFAULT,
    night: Night = NEVER,
    since: date = _LONG_AGO,
    **other: Any,
) -> str:
    """A role's id; `on` names those who have each layer, all of them together, and who are its members."""
    ids = {name: await id_of(house, name) for name in {*chain(*on.values()), *(members or [])}}
    layers = tuple(
        Layer(name, (Rule(doctors=(tuple(ids[each] for each in whom),), start=since, at="08:00"),))
        for name, whom in on.items()
    )
    new = RoleRow(
        id=secrets.token_urlsafe(12),
        service="Neurology, Thunder Bay Regional",
        name="Neurologist on call",
        specialty="neurology",
        zone="America/Toronto",
        number=NUMBER,
        keeper=None,
        rule=None,
        body=body_of(Rota(layers), policy, night),
        version=1,
    )
    async with house.lounge.identity_database.writing() as connection:
        await roles.add(connection, replace(new, **other))
        for doctor_id in ids.values():
            await roles.put_member(connection, new.id, doctor_id, 1)
    return new.id


async def id_of(house: House, name: str) -> str:
    """A doctor's id."""
    doctor_id = await house.lounge.doctors.id_of(await house.doctor(name))
    assert doctor_id
    return doctor_id

"""Rotas: who has a role when, by rules of a wall clock and what was arranged beside them. Pure.

Nothing here asks what time it is, or which role it is. Moments are ms since 1970, ends are no part of what
they end; doctors are ids, that never leave the identity side.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from lounge.oncall.standing import Stretch, Why, clash, stretches
from lounge.oncall.turns import Layer, Rota, Rule, Turn, checked, turns
from lounge.oncall.wall_clock import zone_of
from storage.roles import Change

__all__ = [
    "Gap",
    "Layer",
    "Overlap",
    "Rota",
    "Rule",
    "Shift",
    "checked",
    "clash",
    "gaps",
    "overlaps",
    "shifts",
]


@dataclass(frozen=True, slots=True)
class Shift:
    """Of these doctors, together. `why` they and not others: the rota, or the kind of a change of it."""

    layer: str
    starts: int
    ends: int
    doctors: tuple[str, ...]
    why: Why


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody has that layer; or these `doctors` have it, none of whom counts."""

    layer: str
    starts: int
    ends: int
    doctors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two rules of a layer give it to different doctors at once; here are all of them."""

    layer: str
    starts: int
    ends: int
    doctors: tuple[str, ...]


# -- who is on -----------------------------------------------------------------------------------


def shifts(
    rota: Rota,
    zone: str,
    changes: Sequence[Change],
    since: int,
    until: int,
    *,
    whole: bool = True,
) -> tuple[Shift, ...]:
    """Those that touch [since, until), by their start and in the order of the layers.

    Each is `whole`, or cut there, which is quicker: what was arranged for months need not be looked through.
    At no moment has a layer two of them. Raises ValueError for a zone that nobody knows.
    """
    found = [
        Shift(layer.name, each.starts, each.ends, each.doctors, each.why)
        for layer in rota.layers
        for each in _stretches(layer, zone_of(zone), changes, since, until, whole=whole)
        if each.doctors
    ]
    return tuple(sorted(found, key=lambda shift: shift.starts))


# -- what is wrong with it -----------------------------------------------------------------------


def gaps(
    rota: Rota,
    zone: str,
    changes: Sequence[Change],
    since: int,
    until: int,
    reached: Collection[str] | None = None,
) -> tuple[Gap, ...]:
    """Where, within [since, until), a layer has nobody; or, if `reached` is given, nobody of those.

    A rota without layers is one gap, of the layer "".
    """
    if not rota.layers:
        return (Gap("", since, until),)
    known = shifts(rota, zone, changes, since, until, whole=False)
    found: list[Gap] = []
    for layer in rota.layers:
        at = since
        for shift in _of(layer, known):
            if at < shift.starts:
                found.append(Gap(layer.name, at, shift.starts))
            if reached is not None and not set(reached) & set(shift.doctors):
                found.append(Gap(layer.name, shift.starts, shift.ends, shift.doctors))
            at = shift.ends
        if at < until:
            found.append(Gap(layer.name, at, until))
    return tuple(sorted(found, key=lambda gap: gap.starts))


def overlaps(
    rota: Rota, zone: str, changes: Sequence[Change], since: int, until: int
) -> tuple[Overlap, ...]:
    """Where, within [since, until), rules of a layer disagree. Who is meant to be together is a team."""
    found = [
        Overlap(layer.name, each.starts, each.ends, each.doctors)
        for layer in rota.layers
        for each in _stretches(layer, zone_of(zone), changes, since, until, whole=False)
        if each.disputed
    ]
    return tuple(sorted(found, key=lambda overlap: overlap.starts))


# -- privates ------------------------------------------------------------------------------------


def _stretches(
    layer: Layer,
    zone: ZoneInfo,
    changes: Sequence[Change],
    since: int,
    until: int,
    *,
    whole: bool,
) -> list[Stretch]:
    def turning(first: int, last: int) -> list[Turn]:
        return turns(layer, zone, first, last)

    return stretches(turning, layer.name, changes, since, until, whole=whole)


def _of(layer: Layer, found: Sequence[Shift]) -> list[Shift]:
    return [each for each in found if each.layer == layer.name]

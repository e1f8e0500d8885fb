"""A rota as it is written: rules of a wall clock by layer, checked, and the turns that follow from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta, tzinfo
from math import lcm
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lounge.errors import Code, Refusal
from lounge.guarding import admit_name
from lounge.oncall.wall_clock import day_at, moment, zone_of

LAYER_CHARS = 40
MOST_LAYERS = 6
MOST_RULES = 8
MOST_TURNS = 60
MOST_TOGETHER = 10
MOST_PERIODS = 52
FIRST_YEAR, LAST_YEAR = 2000, 2199
EVERYONE = "everyone"
"""No layer's name: in an escalation it means all members."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Name = Annotated[str, Meta(min_length=1, max_length=LAYER_CHARS)]
Clock = Annotated[str, Meta(max_length=8)]
Team = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=MOST_TOGETHER)]

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_MARGIN_DAYS = 2  # a zone may skip a day or have one twice


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, rename={"start": "from"}):
    """`doctors` take turns, those of a team together. A turn lasts `n` days or weeks, the first one from the
    day `from` and the hour `at` on, by the wall clock of the role's zone.

    A turn is one unbroken shift. With `days` or `until` it is one on each of its days (of those named): from
    `at` for 24 hours of the clock, or until `until`, which is the next day's if it is not later than `at`.
    """

    doctors: Annotated[tuple[Team, ...], Meta(max_length=MOST_TURNS)]
    start: date
    at: Clock
    every: Literal["days", "weeks"] = "days"
    n: Annotated[int, Meta(ge=1, le=MOST_PERIODS)] = 1
    days: Annotated[tuple[Day, ...], Meta(max_length=len(DAYS))] | None = None
    until: Clock | None = None

    @property
    def period(self) -> int:
        """How many days a turn lasts."""
        return self.n * (7 if self.every == "weeks" else 1)

    @property
    def step(self) -> int:
        """How many days lie between the starts of two shifts that would be next to each other."""
        return self.period if self.days is None and self.until is None else 1

    @property
    def length(self) -> int:
        """On which day after that of its start a shift ends."""
        return self.step if self.until is None else int(self.until <= self.at)

    def is_on(self, day: date) -> bool:
        """Whether a shift may start on that day of the week."""
        return self.days is None or DAYS[day.weekday()] in self.days


class Layer(msgspec.Struct, frozen=True):
    """Who is asked together: primary, secondary, tier, or as the service calls it."""

    name: Name
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MOST_RULES)] = ()


class Rota(msgspec.Struct, frozen=True):
    """A role's layers, in the order in which they are shown. With none nobody is ever on call."""

    layers: Annotated[tuple[Layer, ...], Meta(max_length=MOST_LAYERS)] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A shift as number `rule` of a layer's rules has it, before anything was arranged; in ms."""

    rule: int
    starts: int
    ends: int
    doctors: tuple[str, ...]


def checked(rota: Rota, zone: str) -> Rota:
    """Raises Refusal, with the field, for what cannot be kept to: a zone, an hour or a day that there is
    not, two layers of one name or one with a person's number in it, a turn of nobody, one that never comes.
    """
    try:
        zone_of(zone)
    except ValueError:
        raise Refusal(Code.INVALID, "refusal.rota_zone", field="zone", value=zone) from None
    known: set[str] = set()
    for number, layer in enumerate(rota.layers):
        field = f"layers[{number}]"
        name = layer.name.strip()
        if name != layer.name or not name or name in known or name == EVERYONE:
            raise Refusal(Code.INVALID, "refusal.rota_layer", field=f"{field}.name", value=name)
        admit_name(name, f"{field}.name")
        known.add(name)
        for place, rule in enumerate(layer.rules):
            _check(rule, f"{field}.rules[{place}]")
    return rota


def turns(layer: Layer, zone: tzinfo, since: int, until: int) -> list[Turn]:
    """Those that touch [since, until), each whole, in no order."""
    return [
        turn
        for number, rule in enumerate(layer.rules)
        for turn in _turns(number, rule, zone, since, until)
        if turn.starts < min(until, turn.ends) and since < turn.ends
    ]


def _turns(number: int, rule: Rule, zone: tzinfo, since: int, until: int) -> Iterator[Turn]:
    at = time.fromisoformat(rule.at)
    end = at if rule.until is None else time.fromisoformat(rule.until)
    early = (day_at(zone, since) - rule.start).days - rule.length - _MARGIN_DAYS
    late = (day_at(zone, until) - rule.start).days + _MARGIN_DAYS
    for days in range(max(0, early // rule.step * rule.step), late, rule.step):
        day = rule.start + timedelta(days)
        if rule.is_on(day):
            starts = moment(zone, day, at)
            ends = moment(zone, day + timedelta(rule.length), end)
            yield Turn(number, starts, ends, rule.doctors[days // rule.period % len(rule.doctors)])


# -- what cannot be ------------------------------------------------------------------------------


def _check(rule: Rule, field: str) -> None:
    for name, clock in (("at", rule.at), ("until", rule.until)):
        if clock is not None and not _CLOCK.fullmatch(clock):
            raise Refusal(Code.INVALID, "refusal.rota_time", field=f"{field}.{name}", value=clock)
    if not FIRST_YEAR <= rule.start.year <= LAST_YEAR:
        value = rule.start.isoformat()
        raise Refusal(Code.INVALID, "refusal.rota_from", field=f"{field}.from", value=value)
    if not rule.doctors or not all(rule.doctors) or not all(map(all, rule.doctors)):
        raise Refusal(Code.INVALID, "refusal.rota_nobody", field=f"{field}.doctors")
    if any(len(set(team)) < len(team) for team in rule.doctors):
        raise Refusal(Code.INVALID, "refusal.rota_twice", field=f"{field}.doctors")
    if rule.days is not None and not 0 < len(rule.days) == len(set(rule.days)):
        raise Refusal(Code.INVALID, "refusal.rota_days", field=f"{field}.days")
    if (never := _never(rule)) is not None:
        raise Refusal(Code.INVALID, "refusal.rota_never", field=f"{field}.days", n=never + 1)


def _never(rule: Rule) -> int | None:
    """Whose turn falls on none of the days: of seven who change daily, each has one day of the week."""
    if rule.days is None or rule.period >= len(DAYS):
        return None
    cycle = lcm(rule.period * len(rule.doctors), len(DAYS))
    come = {
        days // rule.period % len(rule.doctors)
        for days in range(cycle)
        if rule.is_on(rule.start + timedelta(days))
    }
    return min(set(range(len(rule.doctors))) - come, default=None)

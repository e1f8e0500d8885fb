"""How registers are laid out: NPPES as published, the GMC's export, and any CSV by a mapping."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lounge.credentials.folding import as_kept
from lounge.credentials.validators import BODIES, normalised
from lounge.errors import Refusal
from storage.registers import Row

LAPSED, SUSPENDED, OTHER, TRAINEE = "lapsed", "suspended", "other", "trainee"
_KEPT = {"good": None, "lapsed": LAPSED, "expired": LAPSED, "suspended": SUSPENDED, "other": OTHER}


@dataclass(frozen=True, slots=True)
class Reading:
    """`take` makes of a row's fields what is kept of it, or raises BrokenRow; `last` it looks at."""

    take: Callable[[Sequence[str]], Row]
    last: int


class LayoutFault(Exception):  # noqa: N818 - said to the operator as it stands
    """A mapping is wrong, or a file has not the columns that its layout needs."""


class BrokenRow(Exception):  # noqa: N818 - reported with its line, and passed over
    """Why a row cannot be taken."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A register's body, and how its columns become a `Reading`, by their heads."""

    register: str
    reading: Callable[[Sequence[str]], Reading]
    delimiter: str = ","


def layout_of(name: str) -> Layout:
    """`nppes`, `gmc`, or the path of a mapping in TOML. Raises LayoutFault."""
    if name in _PUBLISHED:
        return _PUBLISHED[name]
    try:
        given = tomllib.loads(Path(name).read_text("utf-8"))
    except FileNotFoundError:
        raise LayoutFault(f"no layout {name}: nppes, gmc, or a mapping's file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise LayoutFault(f"{name} cannot be read: {fault}") from None
    mapping = _mapping(given)
    return Layout(mapping.register, mapping.reading, mapping.delimiter)


# -- NPPES ---------------------------------------------------------------------------------------


def _nppes(heads: Sequence[str]) -> Reading:
    """The columns of the monthly NPPES file; rows of those who are no physicians are kept without names."""
    at = _Places(heads)
    number, kind = at("NPI"), at("Entity Type Code")
    off, on = at("NPI Deactivation Date"), at("NPI Reactivation Date")
    family, given, middle = (
        at("Provider Last Name (Legal Name)"),
        at("Provider First Name"),
        at("Provider Middle Name"),
    )
    other_family, other_given = at("Provider Other Last Name"), at("Provider Other First Name")
    kinds = [at(f"Healthcare Provider Taxonomy Code_{n}") for n in range(1, 16)]

    def take(fields: Sequence[str]) -> Row:
        npi = fields[number]
        if not is_npi(npi):
            raise BrokenRow("the NPI's check digit is wrong")
        if fields[off] and not fields[on]:
            return npi, None, LAPSED, None  # published without names
        if fields[kind] == "2":
            return npi, None, OTHER, None
        if fields[kind] != "1":
            raise BrokenRow("the entity type is neither 1 nor 2")
        status = physician([code for place in kinds if (code := fields[place])])
        if status == OTHER:
            return npi, None, OTHER, None
        names = as_kept(
            (fields[family], f"{fields[given]} {fields[middle]}"),
            (fields[other_family], fields[other_given] or fields[given]),
        )
        if names is None or not fields[family]:
            raise BrokenRow("an individual without a last name")
        return npi, names, status, None

    return Reading(take, at.last)


def physician(taxonomies: Sequence[str]) -> str | None:
    """None for a physician (NUCC taxonomy group 20), `trainee` for whoever is in training, else `other`.

    Nurses, dentists and hospitals have NPIs as well. 390200000X is anybody in an organized programme.
    """
    if any(code.startswith("20") for code in taxonomies):
        return None
    return TRAINEE if "390200000X" in taxonomies else OTHER


def is_npi(number: str) -> bool:
    """Luhn over 80840 + NPI: the prefix always adds 24. As `validators` has it, for millions of rows."""
    if len(number) != 10 or not number.isascii() or not number.isdigit():
        return False
    pairs = (number[:2], number[2:4], number[4:6], number[6:8], number[8:])
    return (24 + sum(map(_PAIRS.__getitem__, pairs))) % 10 == 0


_PAIRS = {f"{n:02}": sum(divmod(n // 10 * 2, 10)) + n % 10 for n in range(100)}


# -- GMC -----------------------------------------------------------------------------------------


def _gmc(heads: Sequence[str]) -> Reading:
    """The columns of the List of Registered Medical Practitioners as subscribers get it."""
    at = _Places(heads)
    number, family, given = at("GMC Ref No"), at("Surname"), at("Given Name")
    status = at("Registration Status")
    others = [at("Other Names")] if "Other Names" in at else []

    def take(fields: Sequence[str]) -> Row:
        names = as_kept((fields[family], " ".join(fields[place] for place in (given, *others))))
        return _number("gb.gmc", fields[number]), names, _gmc_status(fields[status]), None

    return Reading(take, at.last)


def _gmc_status(said: str) -> str | None:
    """Only a licence to practise counts; whoever was erased or suspended has lost hers."""
    words = " ".join(said.lower().split())
    if not words:
        raise BrokenRow("no registration status")
    if "suspend" in words or "erased" in words or "erasure" in words:
        return SUSPENDED
    return None if "registered with licen" in words else LAPSED


# -- any other -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mapped:
    """Which columns of a college's CSV hold what. Dates are valid to the end of their day, UTC."""

    register: str
    columns: Mapping[str, Sequence[str]]
    status: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    date: str = "%Y-%m-%d"
    delimiter: str = ","

    def reading(self, heads: Sequence[str]) -> Reading:
        at = _Places(heads)
        places = {part: [at(head) for head in named] for part, named in self.columns.items()}

        def told(fields: Sequence[str], part: str) -> str:
            return " ".join(fields[place] for place in places.get(part, ())).strip()

        def take(fields: Sequence[str]) -> Row:
            number = _number(self.register, told(fields, "number"))
            names = as_kept(
                (told(fields, "family"), told(fields, "given")),
                (told(fields, "other_family"), told(fields, "given")),
            )
            if names is None:
                raise BrokenRow("no family name")
            status = self._status(told(fields, "status")) if "status" in places else None
            return number, names, status, self._until(told(fields, "until"))

        return Reading(take, at.last)

    def _status(self, said: str) -> str | None:
        known = self.status.get(said.casefold(), self.otherwise)
        if known is None:
            raise BrokenRow("a status that the mapping does not name")
        return _KEPT[known]

    def _until(self, said: str) -> int | None:
        if not said:
            return None
        try:
            day = datetime.strptime(said, self.date).replace(tzinfo=UTC)
        except ValueError:
            raise BrokenRow("a date of another form than the mapping's") from None
        return int((day + timedelta(days=1)).timestamp() * 1000)


def _mapping(given: Mapping[str, Any]) -> Mapped:
    unknown = set(given) - {"register", "columns", "status", "otherwise", "date", "delimiter"}
    columns = {
        part: [named] if isinstance(named, str) else list(named)
        for part, named in given.get("columns", {}).items()
    }
    status = {str(said).casefold(): known for said, known in given.get("status", {}).items()}
    for is_wrong, why in (
        (unknown, f"the mapping does not know {', '.join(sorted(unknown))}"),
        (given.get("register") not in BODIES, "register must be a licensing body's id"),
        (set(columns) - _PARTS, f"columns may be {', '.join(sorted(_PARTS))}"),
        ({"number", "family", "given"} - set(columns), "columns must name number, family, given"),
        (
            {*status.values(), given.get("otherwise", "good")} - set(_KEPT),
            f"a status is one of {', '.join(_KEPT)}",
        ),
        (len(given.get("delimiter", ",")) != 1, "the delimiter is one character"),
    ):
        if is_wrong:
            raise LayoutFault(why)
    return Mapped(
        given["register"],
        columns,
        status,
        given.get("otherwise"),
        given.get("date", "%Y-%m-%d"),
        given.get("delimiter", ","),
    )


_PARTS = {"number", "family", "given", "other_family", "status", "until"}


class _Places:
    """Finds columns by their heads, whatever their case; a missing one is told by name."""

    def __init__(self, heads: Sequence[str]) -> None:
        self._known = {" ".join(head.split()).casefold(): n for n, head in enumerate(heads)}
        self.last = 0

    def __call__(self, head: str) -> int:
        place = self._known.get(head.casefold())
        if place is None:
            raise LayoutFault(f"the file has no column {head!r}")
        self.last = max(self.last, place)
        return place

    def __contains__(self, head: str) -> bool:
        return head.casefold() in self._known


def _number(register: str, said: str) -> str:
    try:
        return normalised(register, said)
    except Refusal:
        raise BrokenRow("the number is not one of this register's") from None


_PUBLISHED = {"nppes": Layout("us.npi", _nppes), "gmc": Layout("gb.gmc", _gmc)}

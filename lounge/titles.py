"""The words for specialties, their groups, and countries, in English and in French.

Specialties follow Directive 2005/36/EC, Annex V, points 5.1.3 and 5.1.4, with the departures that
`specialties.toml` lists; countries are those with an ISO 3166-1 alpha-2 code, in CLDR's words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from babel import Locale


@dataclass(frozen=True, slots=True)
class Title:
    """What a person reads, in English and in French."""

    en: str
    fr: str


def _titles(table: Mapping[str, Mapping[str, str]]) -> dict[str, Title]:
    return {code: Title(words["en"], words["fr"]) for code, words in table.items()}


def _countries() -> dict[str, Title]:
    english, french = (_territories(language) for language in ("en", "fr"))
    titles = {code: Title(name, french[code]) for code, name in english.items()}
    return dict(sorted(titles.items(), key=lambda item: item[1].en))


def _territories(language: str) -> dict[str, str]:
    names = {str(code): str(name) for code, name in Locale(language).territories.items()}
    return {code: name for code, name in names.items() if _is_country(code)}


def _is_country(code: str) -> bool:
    return len(code) == 2 and code.isalpha() and code not in _UNASSIGNED


# Codes in CLDR that ISO 3166-1 does not assign: reserved, user-assigned, or not a country at all.
_UNASSIGNED = frozenset(
    {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"}
)

with Path(__file__).with_name("specialties.toml").open("rb") as _file:
    _LISTS = tomllib.load(_file)
_BY_GROUP = {group: _titles(table) for group, table in _LISTS["specialties"].items()}
GROUPS = _titles(_LISTS["groups"])
SPECIALTIES = {slug: title for titles in _BY_GROUP.values() for slug, title in titles.items()}
GROUP_OF = {slug: group for group, titles in _BY_GROUP.items() for slug in titles}
COUNTRIES = _countries()

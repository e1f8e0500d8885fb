"""The rooms there are: the world, one a specialty, one a country, and the deployment's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from lounge.rules import Rule
from lounge.titles import COUNTRIES, GROUP_OF, GROUPS, SPECIALTIES, Title

__all__ = ["Catalogue", "Room", "RoomsFileError", "Title", "open_catalogue"]


@dataclass(frozen=True, slots=True)
class Room:
    """A room that exists; `rule` is the text of who may enter (None: every verified doctor)."""

    id: str
    title: Title
    kind: str
    rule: str | None = None
    listed: bool = True


class RoomsFileError(ValueError):
    """The rooms file cannot be used; the message names the file, the room and what was expected."""


class Catalogue:
    """All rooms, and the words for specialties, groups and countries. Look-ups are cheap."""

    def __init__(self, rooms: Iterable[Room], *, bench: bool = False) -> None:
        self.specialties: Mapping[str, Title] = SPECIALTIES
        self.groups: Mapping[str, Title] = GROUPS
        self.countries: Mapping[str, Title] = COUNTRIES
        self._rooms = {room.id: room for room in rooms}
        self._listed = tuple(room for room in self._rooms.values() if room.listed)
        self._rules = {room.id: Rule(room.rule) for room in self._listed if room.rule}
        self._bench = bench

    def rooms(self) -> tuple[Room, ...]:
        """The rooms a list shows: world, specialties, countries, the deployment's own."""
        return self._listed

    def find(self, room_id: str) -> Room | None:
        """The room of that id, `me` and (when opened with bench) `bench/<n>` included, or None."""
        room = self._rooms.get(room_id)
        if room is None and self._bench and _BENCH.fullmatch(room_id):
            return Room(room_id, Title(room_id, room_id), "bench", listed=False)
        return room

    def admits(self, room_id: str, attributes: Mapping[str, object]) -> bool:
        """True unless the room has a rule that these attributes (see `Rule.admits`) do not meet."""
        rule = self._rules.get(room_id)
        return rule is None or rule.admits(attributes)

    def specialty_title(self, slug: str) -> Title | None:
        """The words for a specialty, or None for one that is not known."""
        return SPECIALTIES.get(slug)

    def country_title(self, cc: str) -> Title | None:
        """The words for a country by its code in either case, or None for one that is not known."""
        return COUNTRIES.get(cc.upper())

    def group_of(self, specialty_slug: str) -> str | None:
        """The group that a badge with this specialty may be coarsened to, or None."""
        return GROUP_OF.get(specialty_slug)


def open_catalogue(path: Path | None = None, *, bench: bool = False) -> Catalogue:
    """All rooms after the rooms file at `path`, if any, has hidden some, added some and set rules.

    A hidden room is gone: neither listed nor found. Raises RoomsFileError.
    """
    rooms = {room.id: room for room in _standing_rooms()}
    if path is not None:
        _Reading(path, rooms).apply()
    return Catalogue(rooms.values(), bench=bench)


def _standing_rooms() -> list[Room]:
    return [
        Room("world", Title("World", "Monde"), "world"),
        *(Room(f"specialty/{slug}", title, "specialty") for slug, title in SPECIALTIES.items()),
        *(Room(f"country/{cc.lower()}", title, "country") for cc, title in COUNTRIES.items()),
        Room("me", Title("For you", "Pour vous"), "me", listed=False),
    ]


class _Reading:
    """One reading of a rooms file; it changes `rooms` in place or says what is wrong."""

    def __init__(self, path: Path, rooms: dict[str, Room]) -> None:
        self._path = path
        self._rooms = rooms

    def apply(self) -> None:
        content = self._content()
        self._only(content, {"hide", "room", "rule"}, "the file")
        for room in self._tables(content.get("room", [])):
            self._add(room)
        for room_id, rule in self._table(content.get("rule", {}), "[rule]").items():
            self._set_rule(room_id, rule)
        for room_id in self._strings(content.get("hide", [])):
            del self._rooms[self._standing(room_id, "hide")]

    def _content(self) -> dict[str, object]:
        try:
            return tomllib.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise RoomsFileError(f"{self._path}: it cannot be read: {error}") from error

    def _add(self, room: dict[str, object]) -> None:
        room_id = room.get("id")
        if not isinstance(room_id, str) or not _HOUSE.fullmatch(room_id):
            self._fail(f"[[room]] id {room_id!r}", 'one such as "house/coffee" (a-z, 0-9 and -)')
        self._only(room, {"id", "title", "rule"}, room_id)
        if room_id in self._rooms:
            self._fail(room_id, "each id once")
        self._rooms[room_id] = Room(room_id, self._title(room.get("title"), room_id), "house")
        if "rule" in room:
            self._set_rule(room_id, room["rule"])

    def _title(self, title: object, room_id: str) -> Title:
        words = self._table(title, f"{room_id}: title")
        self._only(words, {"en", "fr"}, f"{room_id}: title")
        en, fr = words.get("en"), words.get("fr")
        if not (isinstance(en, str) and en.strip() and isinstance(fr, str) and fr.strip()):
            self._fail(f"{room_id}: title", "words for both en and fr")
        return Title(en.strip(), fr.strip())

    def _set_rule(self, room_id: str, text: object) -> None:
        room = self._rooms[self._standing(room_id, "[rule]")]
        if not isinstance(text, str):
            self._fail(f"{room_id}: rule", "an expression in quotes")
        try:
            rule = Rule(text)
        except ValueError as error:
            raise RoomsFileError(f"{self._path}: {room_id}: rule {text!r}: {error}") from error
        for code in () if rule.names_region() else _QUOTED.findall(text):
            if code not in _CODES:
                self._fail(f"{room_id}: rule {text!r}: {code!r}", "a code that the lounge knows")
        self._rooms[room_id] = replace(room, rule=text)

    def _standing(self, room_id: str, where: str) -> str:
        if room_id not in self._rooms or room_id == "me":
            self._fail(f"{where} {room_id!r}", "the id of a room that exists")
        return room_id

    def _only(self, table: Mapping[str, object], names: set[str], where: str) -> None:
        for name in table.keys() - names:
            self._fail(f"{where}: {name!r}", f"only {', '.join(sorted(names))}")

    def _tables(self, value: object) -> list[dict[str, object]]:
        if not isinstance(value, list):
            self._fail("room", "[[room]] with two brackets")
        return [self._table(item, "[[room]]") for item in value]

    def _table(self, value: object, where: str) -> dict[str, object]:
        if not isinstance(value, dict):
            self._fail(where, "a table")
        return value

    def _strings(self, value: object) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._fail("hide", "a list of room ids in quotes")
        return list(dict.fromkeys(value))

    def _fail(self, where: str, expected: str) -> NoReturn:
        raise RoomsFileError(f"{self._path}: {where}: expected {expected}")


_HOUSE = re.compile(r"house/[a-z0-9][a-z0-9-]{0,47}")
_BENCH = re.compile(r"bench/[0-9]{1,9}")
_QUOTED = re.compile(r"""["']([^"']*)["']""")

_GRADES = frozenset({"trainee", "specialist", "generalist"})
_ROLES = frozenset({"doctor", "moderator", "officer"})
_CODES = _GRADES | _ROLES | GROUPS.keys() | SPECIALTIES.keys() | COUNTRIES.keys()

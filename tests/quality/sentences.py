"""Sentences made by lot from templates, with the stretches in them that identify somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random

from tests.quality.headed import headed
from tests.quality.people import People
from tests.quality.values import is_value, value

HALVES = ("open", "held out")
LANGUAGES = ("en", "fr")
CLEAN = "clean"
_HERE = Path(__file__).parent
_SLOT = re.compile(r"\{(\w+)\}")
_LISTS = ("eponyms", "drugs")
# slots that tell of nobody
_HARMLESS = frozenset(
    ("drug", "eponym", "point", "age", "days", "dose", "creat", "pct", "gcs", "hr", "hr2")
).union(("na", "k", "hb", "hb2", "bp"))
_SEED = 20


@dataclass(frozen=True, slots=True)
class Sentence:
    """`told`: code points [start, end) that identify somebody, all of kind `kind`."""

    text: str
    language: str
    kind: str
    half: str
    told: tuple[tuple[int, int], ...]


def sentences(language: str, count: int) -> Iterator[Sentence]:
    """About `count` sentences in `language`, half from each half, the same at every call."""
    for half in HALVES:
        lot = Random(f"{_SEED} {language} {half}")
        made = _Maker(language, half, lot)
        kinds = list(made.templates)
        for kind in kinds:
            yield from islice(made.of(kind), round(count / 2 * _share(kind, len(kinds))))


def _share(kind: str, kinds: int) -> float:
    """Names and clean sentences are a fourth each; the others share the rest."""
    return 0.25 if kind in ("name", CLEAN) else 0.5 / (kinds - 2)


class _Maker:
    """One half of the templates, of the people and of the towns of a language."""

    def __init__(self, language: str, half: str, lot: Random) -> None:
        said = headed(_HERE / f"templates_{language}.txt")
        which = HALVES.index(half)
        self._language, self._half, self._lot = language, half, lot
        self._lists = {name: _listed(said.pop(name))[which::2] for name in _LISTS}
        self._people = People(language, which, lot)
        self.templates = {
            kind: [line for at, line in enumerate(lines) if at % 2 == which]
            for kind, lines in said.items()
        }

    def of(self, kind: str) -> Iterator[Sentence]:
        """Without end, each template in its turn."""
        for template in cycle(self.templates[kind]):
            text, at = "", 0
            told = []
            for slot in _SLOT.finditer(template):
                before, secret = self._filled(slot[1])
                text += template[at : slot.start()] + before + secret
                at = slot.end()
                if slot[1] not in _HARMLESS:
                    told.append((len(text) - len(secret), len(text)))
            yield Sentence(text + template[at:], self._language, kind, self._half, tuple(told))

    def _filled(self, slot: str) -> tuple[str, str]:
        """What stands before it (a title), and what identifies."""
        if is_value(slot):
            return "", value(slot, self._language, self._lot)
        if slot + "s" in self._lists:
            return "", self._lot.choice(self._lists[slot + "s"])
        return self._people.named(slot)


def _listed(lines: list[str]) -> list[str]:
    return "|".join(lines).split("|")

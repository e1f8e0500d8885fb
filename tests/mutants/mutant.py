"""A mutant: one promise, the one place in which it is broken, and the tests that must notice."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("list.toml")


@dataclass(frozen=True, slots=True)
class Mutant:
    """`find` stands once in `file` and becomes `put`. `tests` are ids as pytest takes them.

    With `seeds`, the simulation must notice it, too, within so many.
    """

    name: str
    promise: str
    file: str
    find: str
    put: str
    tests: tuple[str, ...]
    seeds: int = 0

    def apply(self, tree: Path) -> None:
        """Break the promise in that tree. Raises ValueError unless `find` stands there once."""
        path = tree / self.file
        text = path.read_text("utf-8")
        count = text.count(self.find)
        if count != 1:
            raise ValueError(
                f"{self.name}: what is to be found stands {count} times in {self.file}"
            )
        path.write_text(text.replace(self.find, self.put), "utf-8")


def known() -> list[Mutant]:
    """All of them, in the order of the list."""
    rows = tomllib.loads(LIST.read_text("utf-8"))["mutant"]
    return [Mutant(**{**row, "tests": tuple(row["tests"])}) for row in rows]

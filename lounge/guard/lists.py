"""The lists the guard reads names by: one text file a list, a line of words at a time."""

from __future__ import annotations

from importlib.resources import files
from unicodedata import combining, normalize


def words(name: str) -> frozenset[str]:
    """The words of `name`.txt beside this file."""
    return frozenset(word for line in _lines(name) for word in line.split())


def lines(name: str) -> frozenset[str]:
    """The lines of `name`.txt: names of several words."""
    return frozenset(_lines(name))


def section(name: str, heading: str) -> frozenset[str]:
    """The words under "[heading]" in `name`.txt."""
    found: set[str] = set()
    under = ""
    for line in _lines(name):
        if line.startswith("["):
            under = line
        elif under == f"[{heading}]":
            found.update(line.split())
    return frozenset(found)


def plain(word: str) -> str:
    """`word` without its accents: they are often left out, above all in capitals."""
    told = word.translate(_BASES) if not word.isascii() else word
    if told.isascii():
        return told
    return "".join(sign for sign in normalize("NFD", word) if not combining(sign))


def plainly(told: frozenset[str]) -> frozenset[str]:
    """Every word without its accents."""
    return frozenset(map(plain, told))


def _lines(name: str) -> list[str]:
    text = files(__package__).joinpath(f"{name}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# the letters of Latin-1 with accents, and what is left without
_BASES = {code: normalize("NFD", chr(code))[0] for code in range(0xC0, 0x100)}

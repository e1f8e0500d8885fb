"""Names as they are compared: without case, accents and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def folded(name: str) -> list[str]:
    """The words of a name: "Ana-María O’Neill" is ana, maria, oneill."""
    if not name.isascii():
        decomposed = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
        name = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return name.lower().translate(_MARKS).split()


def as_kept(*spellings: tuple[str, str]) -> str | None:
    """How a register's names are kept: each (family, given) names one spelling. None without any."""
    kept = []
    for family, given in spellings:
        words = folded(family)
        if words:
            kept.append(f"{' '.join(words)}/{' '.join(folded(given))}")
    return "|".join(kept) or None


def same_person(claimed: str, kept: str) -> bool:
    """True when the claimed name has a whole family name and one given name of those that are kept.

    Order, middle names and a word written as two do not matter.
    """
    words = folded(claimed)
    told = _joined(words)
    for spelling in kept.split("|"):
        family, _, given = spelling.partition("/")
        if "".join(family.split()) in told and _any_given(given.split(), told):
            return True
    return False


def same_name(claimed: str, told: str) -> bool:
    """True when every word of the claimed name but initials and titles stands in the told one.

    Never the other way round: who adds somebody else's name to her own would be both, one to each source.
    """
    whole = {word for word in folded(claimed) if len(word) > 1 and word not in _TITLES}
    return len(whole) > 1 and whole <= _joined(folded(told))


def _any_given(given: Sequence[str], told: frozenset[str]) -> bool:
    """A doctor may go by any of her given names; an initial alone proves nothing."""
    if not given:
        return True  # some registers know one name only
    return "".join(given) in told or any(len(name) > 1 and name in told for name in given)


def _joined(words: Sequence[str]) -> frozenset[str]:
    """Every word, and neighbours written as one: "de la Cruz", "delacruz"."""
    return frozenset(
        "".join(words[start:end])
        for start in range(len(words))
        for end in range(start + 1, min(start + _MOST_JOINED, len(words)) + 1)
    )


_MOST_JOINED = 4
_TITLES = frozenset({"dr", "md", "mr", "mrs", "ms", "miss", "mme", "prof", "professor"})
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th"})
_MARKS = str.maketrans(
    {**dict.fromkeys("'’ʼ`´\"", ""), **dict.fromkeys(".,;:/|-_()[]&+*#!?\t\u2010\u2011\u2013", " ")}
)

"""Names by the lists: a given name and a surname, initials and a surname, a given name alone.

Neither list knows everybody, and both hold words, so a pair is weighed: how sure its first word
is, how sure its second, and whether it stands where people stand.
"""

from __future__ import annotations

import re

from lounge.guard.lists import section
from lounge.guard.reading import (
    EPONYMS,
    HEADS,
    WORD,
    bare,
    is_clinical,
    is_doubtful,
    is_eponym,
    is_given,
    is_large,
    is_ordinary,
    is_phrase,
    is_shouted,
    is_surname,
    read,
)

AND_GIVEN = re.compile(rf"(, ?| )({WORD})(?![^\W_])")
_ENOUGH = 2
_NEVER = -9


def listed(text: str, start: int, before: list[str], name: str) -> int | None:
    """Where the name ends that begins at `start` with `name`; `before`: the words before it."""
    the = before[-1:] in (["the"], ["The"])
    if not the and not may_be_listed(text, start, name):
        return None
    if len(name) == 1:
        return _with_initials(text, start, before)
    first = _surname_first(text, start, before, name)
    if first is not None:
        return first
    end, pieces = read(text, start)
    if not pieces or is_eponym(text, start, end) or is_phrase(pieces) or is_large(pieces):
        return None
    surname = next((piece for piece in pieces[1:] if not piece.endswith(".")), None)
    if surname is None:
        return end if _is_alone(text, start, end, before, name) else None
    weight = _given(name) + _surname(surname, sure=is_given(name))
    if weight < _ENOUGH:
        weight += _human(text, end, before)
    return end if weight >= _ENOUGH else None


def may_be_listed(text: str, start: int, word: str) -> bool:
    """Whether it begins as what is on the lists may."""
    name = bare(word)
    if len(name) == 1:
        return text[start + 1 : start + 2] == "."
    return _FOLLOWED.match(text, start + len(name)) is not None or is_given(name)


def _given(word: str) -> int:
    low = word.lower()
    if is_given(word) and low not in HEADS:
        return 1 if is_doubtful(word) or low in EPONYMS else 2
    if is_clinical(word) or is_doubtful(word) or len(word) < (4 if is_shouted(word) else 3):
        return _NEVER
    return -1 if _MEDICAL.search(low) else 0


def _surname(word: str, *, sure: bool) -> int:
    if is_surname(word):
        return 1 if is_doubtful(word) or word.lower() in EPONYMS else 2
    if is_ordinary(word.lower()):
        return 0 if sure else _NEVER
    if is_clinical(word) or (is_shouted(word) and not sure):
        return _NEVER
    return 1 if _is_like_a_name(word) or is_given(word) else 0


def _is_like_a_name(word: str) -> bool:
    return (
        len(word) > 2
        and not is_clinical(word)
        and not is_doubtful(word)
        and not _MEDICAL.search(word.lower())
    )


def _human(text: str, end: int, before: list[str]) -> int:
    """How much the words around speak of a person: 2 beside "patient", 1 beside "with"."""
    last = before[-1].lower() if before else ""
    if last.rstrip(",:") in _PEOPLE or (last in _LINKING and _is_about_people(before)):
        return 2
    if _DOES.match(text, end) is not None and _does(text, end) in _DOING:
        return 1
    aside = last.endswith((",", ":")) and text.startswith((",", " ("), end)
    return int(aside or last in _WITH or text.startswith(("'s ", "’s "), end))


def _is_about_people(before: list[str]) -> bool:
    return any(word.lower().rstrip(",") in _PEOPLE for word in before[-4:-1])


def _does(text: str, end: int) -> str:
    follows = _DOES.match(text, end)
    return follows[1] if follows is not None else ""


def _is_alone(text: str, start: int, end: int, before: list[str], name: str) -> bool:
    """Whether a name alone is spoken of as people are: "Kevin's mother", "the Okafor baby"."""
    last = before[-1].lower() if before else ""
    if last == "the" and _does(text, end) in _OFFSPRING:
        return is_surname(name) or _is_like_a_name(name)
    if not is_given(name) or is_doubtful(name) or is_clinical(name) or is_shouted(name):
        return False
    if text.startswith(("'s ", "’s "), end) or _AGE.match(text, end):
        return True
    if _does(text, end) in _DOING:
        return True
    return last.rstrip(",") in _WITH and not text.startswith("-", end)


def _with_initials(text: str, start: int, before: list[str]) -> int | None:
    """ "J. Tremblay", "J.-P. Roy", "A. B. Okafor": letters with points, then a surname."""
    if _INSIDE.match(text, start - 1):
        return None
    if text.startswith("M. ", start):
        return None  # a title
    end, pieces = read(text, start)
    if len(pieces) < 2 or not pieces[0].endswith(".") or is_eponym(text, start, end):
        return None
    last = pieces[-1]
    if last.endswith(".") or is_shouted(last):
        return None
    weight = _surname(last, sure=True) + (len(pieces) > 2 or pieces[0].count(".") > 1)
    begins = not before or before[-1].endswith((":", ".", "(", ",", ";"))
    weight += begins + (_human(text, end, before) > 0)
    return end if weight >= _ENOUGH else None


def _surname_first(text: str, start: int, before: list[str], name: str) -> int | None:
    """ "TREMBLAY Jean", "Okafor, Ngozi": a surname, then a given name."""
    after = AND_GIVEN.match(text, start + len(name))
    if after is None or is_shouted(after[2]):
        return None
    if (is_clinical(name) and not is_surname(name)) or is_eponym(text, start, after.end()):
        return None
    if is_shouted(name):
        begins = not before or before[-1].endswith((":", ",", "(", "."))
        weight = _surname(name, sure=True) + _given(after[2]) + begins
        sure = len(name) > 3 and weight >= _ENOUGH
    else:
        sure = "," in after[1] and is_surname(name) and not is_doubtful(name)
        sure = sure and not is_given(name) and _given(after[2]) > 1
    return after.end() if sure else None


_FOLLOWED = re.compile(r"[ \u00a0\u202f,.]{1,2}(?:[a-zA-Z]{1,3}[-'’ .]{1,2}){0,3}[A-ZÀ-ÖØ-Þ]")
_PEOPLE = section("cues", "people") | section("cues", "patients") | section("cues", "relations")
_LINKING = frozenset(("is", "was", "est", "named", "called"))
_WITH = section("cues", "with")
_DOING = section("cues", "doing")
_OFFSPRING = section("cues", "offspring")
_INSIDE = re.compile(r"[-./'’]")
_AGE = re.compile(r" ?[,(] ?\d{1,3}(?: ?(?:y|ans|years|mois|months|[MFHmfh]\b)|\)|,)")
_DOES = re.compile(r"[ \u00a0\u202f]((?:n|m|s)['’]|[^\W\d_]+)")
# what words of medicine end in, and names seldom
_MEDICAL = re.compile(
    "(?:[ts]ions?|ing|al|ics?|[ai]ve|ary|itis|oma|osis|ment|ance|ency|ity|ine|ase|aire|iques?|eux"
    "|euse|omy|graphy|scopy|ous|ed|ies|ness|phy|log(?:y|ie|ue)|phie|able|ible|ular|oid|emia|émie"
    "|ures?|gram|isme?|ists?|ths?|coccus|monas|ella|virus|graph|scope|sis|xia|pathy|plasty|elles?"
    "|tés?|ide|ate|um|us|in|ol|il|ab|ib|pam|pril|tan|cept|zole|cillin|mycin)$"
)

"""Names of people: after titles, relations and words of naming, and by lists of given names.

The words of a text are looked up before anything is searched in it, so that a text without a
capitalised name costs one pass. Eponyms, brands and citations are let through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lounge.guard.listed import AND_GIVEN, listed, may_be_listed
from lounge.guard.lists import plain, section
from lounge.guard.reading import (
    BRANDS,
    DOUBTFUL,
    EPONYMS,
    GIVEN,
    HEADS,
    PLAIN,
    SPECIES,
    SURNAMES,
    WORD,
    bare,
    is_clinical,
    is_doubtful,
    is_eponym,
    is_given,
    is_phrase,
    is_shouted,
    is_surname,
    read,
)
from lounge.guard.span import Language, Span


def names(text: str, words: frozenset[str], language: Language | None) -> Iterator[Span]:
    """The names of people in `text`, ascending, none overlapping; `words` are the text's own.

    Kind "name", and "initials" for a title with letters only ("Mme T."). English and French names
    are looked for in both, since doctors mix them.
    """
    told = 0
    for start, end, kind in sorted(_found(text, words)):
        if start >= told:
            told = end
            yield Span(start, end, kind, f"guard.{kind}", "soft")


_Found = tuple[int, int, str]


def _found(text: str, words: frozenset[str]) -> Iterator[_Found]:
    titled = not words.isdisjoint(_TITLES_TYPED)
    if titled:
        yield from _typed(text)
    told, cues = 0, _cues(words, titled=titled)
    spaced = _spaced(text) if cues else text
    for capital in _CAPITAL.finditer(text):
        start, word = capital.start(), capital[0]
        if start < told:
            continue
        if len(word) > 1 and _is_plain(word):
            found = _titled_plain(text, start, word) if titled else None
        elif (cues and _cue(_last(spaced, start)) in cues) or may_be_listed(text, start, word):
            found = _at(text, start, word)
        else:
            found = None  # most capitals are nobody's
        if found is not None:
            told = found[1]
            yield found


def _cues(words: frozenset[str], *, titled: bool) -> set[str]:
    """Those of the text's words, in small letters, that a name may follow in this text."""
    cues = set(map(str.lower, words & _LEADING))
    if titled or cues:
        cues |= _PARTICLES
    if not words.isdisjoint(_NAMES_TOLD):
        cues.update(_COPULAS)
    if not words.isdisjoint(_WORKING_CASED):
        cues |= _EMPLOYERS
    if not words.isdisjoint(_OFFSPRING):
        cues.add("the")
    return cues | {""} if cues else cues


def _is_plain(word: str) -> bool:
    return word.lower() in PLAIN or (not word.isalpha() and _ELIDED.match(word) is not None)


def _titled_plain(text: str, start: int, word: str) -> _Found | None:
    """ "Mrs Will", "Mr Sur": a word that begins sentences, and a name all the same."""
    if word.lower() in _PARTICLES:
        return _at(text, start, word)
    before = text[max(0, start - 12) : start].split()
    if not before or before[-1].rstrip(".") not in _CIVIL or text[start - 2 : start - 1] in ",;":
        return None
    return (start, start + len(bare(word)), "name") if is_surname(bare(word)) else None


def _last(spaced: str, start: int) -> str:
    """The word before `start`, with the space or the signs that follow it."""
    far = max(0, start - _LONGEST_CUE)
    return spaced[max(far, spaced.rfind(" ", far, max(0, start - 1)) + 1) : start]


def _cue(last: str) -> str:
    """A word before a capital as it is looked up."""
    told = last.strip(_ASIDE).lower()
    return told.replace("’", "'").rpartition("'")[2] or told


def _spaced(text: str) -> str:
    """With plain spaces only, each where another was."""
    for sign in _SPACES:
        text = text.replace(sign, " ")
    return text


def _at(text: str, start: int, word: str) -> _Found | None:
    before = text[max(0, start - 48) : start].split()
    start, before = _with_particles(text, start, before)
    rule = _rule(before)
    if rule is not None and (found := rule(text, start, before)):
        return found
    if word in _TITLES or not _NO_PERSON.isdisjoint((word.lower(), *map(str.lower, before[-1:]))):
        return None
    end = listed(text, start, before, bare(word))
    return None if end is None else (start, end, "name")


def _with_particles(text: str, start: int, before: list[str]) -> tuple[int, list[str]]:
    """A name begins at its particle: "van" of "Mrs van Dijk", "d'" of "M. d'Amours"."""
    while len(before) > 1 and before[-1].lower().rstrip("-") in _PARTICLES:
        if not _leads(before[-2]) and before[-2].lower() not in _PARTICLES:
            break
        start = text.rindex(before[-1], 0, start)
        before = before[:-1]
    return start, before


def _leads(word: str) -> bool:
    return word.rstrip(".") in _TITLES or word in _NAMING


_Rule = Callable[[str, int, list[str]], _Found | None]


def _rule(before: list[str]) -> _Rule | None:
    if not before:
        return None
    last = before[-1]
    told = last.rstrip(".").lstrip("(\"'«[")
    if told in _TITLES:
        return _titled
    if last.endswith((".", ";", "!", "?")):
        return None
    low = last.rstrip(",:(").lstrip("(\"'«[").lower()
    if low in (":", "") and len(before) > 1:
        low = before[-2].rstrip(",:(").lstrip("(\"'«[").lower()
    low = low.rpartition("'")[2].rpartition("’")[2]
    return _RULES.get(low)


def _titled(text: str, start: int, before: list[str]) -> _Found | None:
    title = before[-1].lstrip("(\"'«[")
    end, pieces = read(text, start)
    if not pieces or pieces[0].lower() in SPECIES:
        return None
    if all(piece.endswith(".") or (len(piece) == 2 and piece.isupper()) for piece in pieces):
        return None if pieces[0] in _NOBODY else (start, end, "initials")
    if not _NO_PERSON.isdisjoint(map(str.lower, before[-4:-1])):
        return None  # the hospital bears it
    if pieces[0].lower() in EPONYMS and text.startswith(_OWN, end) and is_eponym(text, start, end):
        return None  # "Dr Parkinson's disease"
    if (title in _SHORTHAND and not _is_meant(title, pieces)) or pieces[0].lower() in BRANDS:
        return None
    if title.rstrip(".") in _SEVERAL and (another := _AND_ANOTHER.match(text, end)):
        end = another.end()
    return start, end, "name"


def _is_meant(title: str, pieces: list[str]) -> bool:
    """MR, MS, DR are shorthand too: mitral regurgitation, multiple sclerosis, retinopathy."""
    last = pieces[-1]
    if title in ("M", "M.", "Me", "Pr", "Pr."):
        return len(last) > 1 and last.lower() not in HEADS | _MORBUS
    if not is_given(pieces[0]) and not is_surname(last):
        return False
    return last.lower() in EPONYMS or not is_doubtful(last)


def _named(text: str, start: int, before: list[str]) -> _Found | None:
    end, pieces = read(text, start)
    if not pieces or is_eponym(text, start, end) or is_phrase(pieces):
        return None
    first = pieces[0]
    sure = is_given(first) and first.lower() not in HEADS
    if not sure and (is_clinical(first) or (is_shouted(first) and len(first) < 5)):
        return None
    low = before[-1].rstrip(",:").lower()
    if low in _CALLING and not (sure or _PEOPLE.intersection(map(str.lower, before[-5:-1]))):
        return None
    return start, end, "name"


def _told(text: str, start: int, before: list[str]) -> _Found | None:
    """After "is" and "est": "her name is …", "le nom du patient est …"."""
    said = " ".join(before[-6:-1]).lower()
    return _named(text, start, before) if _NAME_IS.search(said) else None


def _patient(text: str, start: int, before: list[str]) -> _Found | None:
    end, pieces = read(text, start)
    if not pieces or is_eponym(text, start, end) or is_phrase(pieces):
        return None
    if is_given(pieces[0]) and (len(pieces) > 1 or not is_doubtful(pieces[0])):
        return start, end, "name"
    labelled = ":" in (before[-1], before[-1][-1:])
    after = AND_GIVEN.match(text, end)
    shouted = is_shouted(pieces[0]) and not is_clinical(pieces[0])
    if labelled and after and (shouted or is_given(after[2])) and not is_clinical(after[2]):
        return start, after.end(), "name"
    if labelled and is_surname(pieces[-1]) and not is_doubtful(pieces[0]):
        return start, end, "name"
    usual = len(pieces) > 1 and not any(
        is_clinical(piece) or is_shouted(piece) or piece.endswith(".") or is_doubtful(piece)
        for piece in pieces
    )
    return (start, end, "name") if usual else None


def _related(text: str, start: int, before: list[str]) -> _Found | None:
    end, pieces = read(text, start)
    if not pieces or is_eponym(text, start, end) or is_phrase(pieces):
        return None
    first = pieces[0]
    if is_given(first) and first.lower() not in HEADS:
        sure = first.lower() not in EPONYMS
        return (start, end, "name") if sure or not is_doubtful(first) else None
    if is_clinical(first) or is_doubtful(first) or is_shouted(first) or len(first) < 3:
        return None
    return (start, end, "name") if _whose(before) else None


def _whose(before: list[str]) -> bool:
    return any(
        word.lower() in _POSSESSIVES or word.endswith(("'s", "’s")) for word in before[-3:-1]
    )


def _employed(text: str, start: int, before: list[str]) -> _Found | None:
    if len(before) < 2 or before[-2].lower().rstrip(",") not in _WORKING:
        return None
    end, pieces = read(text, start)
    if not pieces or (is_shouted(pieces[0]) and len(pieces[0]) < 3):
        return None
    house = _OF_ITS_OWN.match(text, end)
    return None if house and house[1] in _HOUSES else (start, end, "name")


def _typed(text: str) -> Iterator[_Found]:
    """ "mr jones", "mme tremblay", "madame roy": in small letters after a title."""
    for title in _SMALL.finditer(text):
        does = _NEXT.match(text, title.end())
        sure = title[1].lower() in _SURE or (does is not None and does[1] in _DOING)
        if _is_name_in_small(title[1].lower(), title[2], sure=sure):
            yield title.start(2), title.end(2), "name"


def _is_name_in_small(title: str, name: str, *, sure: bool) -> bool:
    """Whether `name` is one; `sure`: the title is nothing else, or somebody does something."""
    parts = re.split(r"[ '’-]", name)
    last = plain(parts[-1].capitalize())
    if parts[-1] in _PARTICLES:
        return False
    if title in _SURE and parts[0] in ("o", "d", "n"):
        return True
    if any(part in PLAIN or part in _SAYING for part in parts if part not in _PARTICLES):
        return False
    if last in SURNAMES or last in GIVEN:
        return (sure or last not in DOUBTFUL) and last.lower() not in HEADS
    return title in ("mr", "mrs") or (sure and title in _ANYBODY and not _VERB.search(name))


_TITLES = section("cues", "titles")
_HOUSES = section("cues", "houses")
_OWN = ("'s ", "’s ")
_OF_ITS_OWN = re.compile(r"['’]s ([^\W\d_]+)")
_SHORTHAND = section("cues", "shorthand")
_MORBUS = section("cues", "morbus")
_TITLES_TYPED = section("cues", "titles_typed")
_SURE = section("cues", "sure")
_ANYBODY = frozenset(("mme", "mlle", "mister", "madame", "monsieur", "mademoiselle"))
_DOING = section("cues", "doing")
_NEXT = re.compile(r"[ \u00a0\u202f]([^\W\d_]+)")
_CIVIL = section("cues", "civil")
_SEVERAL = section("cues", "several")
_NOBODY = frozenset(("X.", "Y.", "Z.", "N.", "XX", "XY", "NN"))
_PARTICLES = section("cues", "particles")
_NAMING = section("cues", "naming")
_CALLING = section("cues", "calling")
_PEOPLE = section("cues", "people")
_POSSESSIVES = section("cues", "possessives")
_RELATIONS = section("cues", "relations")
_WORKING = section("cues", "working")
_NO_PERSON = section("cues", "no_person")
_SAYING = section("cues", "saying")
_COPULAS = ("is", "was", "est")
_EMPLOYERS = section("cues", "employers")
_PATIENTS = section("cues", "patients")
_NAMED = section("cues", "named")
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_RELATIONS, _related),
    **dict.fromkeys(_NAMED, _named),
    **dict.fromkeys(_COPULAS, _told),
    **dict.fromkeys(_PATIENTS, _patient),
    **dict.fromkeys(_EMPLOYERS, _employed),
}


def _cased(cues: frozenset[str]) -> frozenset[str]:
    """As written, and in capitals or with one."""
    return cues | frozenset(map(str.capitalize, cues)) | frozenset(map(str.upper, cues))


_LEADING = _cased(_TITLES | _NAMING | _RELATIONS | _NAMED | _PATIENTS)
_NAMES_TOLD = frozenset(("name", "nom", "prénom"))
_WORKING_CASED = _cased(_WORKING)
_OFFSPRING = section("cues", "offspring")
_ASIDE = " .,:;(\"'«[-"
_SPACES = "\n\r\t\u00a0\u202f\u2009\u2003\u3000"
_LONGEST_CUE = 24
# the capital first, then what stands before it: the search skips from capital to capital
_CAPITAL = re.compile(WORD.replace("]", r"](?<![^\W_].)", 1))
_SMALL = re.compile(
    r"([MmDd](?<!\w.)(?:(?<=[Mm])(?:r|rs|me|lle|ister|adame|onsieur|ademoiselle|s|iss)"
    r"|(?<=[Dd])re?))\b\.?[ \u00a0\u202f]"
    r"((?:(?:de|du|des|van|von|der|le|la|el|al|bin|st)[ -]){0,2}(?:[odn]['’])?"
    r"[^\W\d_A-Z]{2,30}(?:-[^\W\d_]{2,30})?)"
    r"(?![^\W_])"
)
_ELIDED = re.compile(r"(?:[LDCJNSM]|Qu)['’][a-zà-ÿœ]")
_AND_ANOTHER = re.compile(rf" (?:and|et|&) {WORD}")
_NAME_IS = re.compile(
    r"\b(?:name|nom|prénom)\b(?! (?:of|de) (?:the|la|le) (?:drug|disease|maladie))"
)
# "Mme présente …": French verbs and participles, and what else may follow a title without a name
_VERB = re.compile(r"(?:[aeéstxz]|er|ir)$")

"""How far a name goes: particles, hyphens, initials, capitals; and what is an eponym rather."""

from __future__ import annotations

import re

from lounge.guard.lists import lines, plain, plainly, section, words

GIVEN = plainly(words("given"))
SURNAMES = plainly(words("surnames"))
DOUBTFUL = plainly(words("doubtful"))
EPONYMS = section("allowed", "eponyms")
BRANDS = section("allowed", "brands")
SPECIES = section("allowed", "species")
HEADS = section("allowed", "heads")
PLAIN = section("allowed", "plain")
PHRASES = lines("phrases")
ORDINARY = words("ordinary")
LARGE_PLACES = lines("large_places")

# one capitalised word, with its hyphens and apostrophes: no two ways to read it
WORD = r"[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:['’‐-][^\W\d_]+)*"
_PARTICLES = (
    r"(?:(?:[Dd]e[ ](?:[Ll](?:a|os|as)[ ])?|[Dd](?:e[rsnl]?|u|a|os?|as|i|ella)[ ]|[Vv][ao]n[ ]"
    r"|[Tt]e[rn][ ]|[Ll][ae]s?[ ]|[AaEe]l[ -]|[Bb](?:in|int|en)[ ]|[Ii]bn[ ]|[Oo]uld[ ]|[ey][ ]"
    r"|D[EU]S?[ ](?:L[AE][ ])?|L[AE][ ]|V[AO]N[ ]|DER[ ]|EL[ ]|BEN[ ]"
    r"|[Ss]te?\.?[ ]|[Mm]a?c[ ]|[dDlLO]['’]))"
)
_PIECE = re.compile(rf"{_PARTICLES}{{0,3}}({WORD})(\.(?:-?[A-Z](?![^\W_])\.?)*)?")
_GAP = re.compile(r"[ \u00a0\u202f]{1,2}(?=\S)")
_POSSESSIVE = ("'s", "’s", "'S", "’S")
_MOST_PIECES = 5
_NEXT = re.compile(r"(?:['’]s)?[ \u00a0\u202f/–-]{0,2}([^\W\d_]+(?:['’]s)?)")
_CITED = re.compile(r"[ ,]{0,2}(?:et al\b|et coll\b|and colleagues|\(?(?:19|20)\d\d\b)")
_OF = frozenset(("de", "du", "des", "selon", "of"))


def is_clinical(word: str) -> bool:
    """Whether a capitalised `word` stands in clinical writing without being anybody's name."""
    low = word.lower()
    return (
        is_ordinary(low)
        or low in EPONYMS
        or low in BRANDS
        or low in PLAIN
        or low in HEADS
        or low in SPECIES
    )


def is_ordinary(low: str) -> bool:
    """Whether a word in small letters is an ordinary English one, and on no list of names."""
    return low in ORDINARY or low.removesuffix("s") in ORDINARY


def is_given(word: str) -> bool:
    """Whether `word`, in its usual letters or in capitals, is a given name or two with a hyphen."""
    if _usual(word) in GIVEN:
        return True
    if "-" not in word:
        return False
    first, _, second = word.partition("-")
    return _usual(first) in GIVEN and _usual(second) in GIVEN


def is_surname(word: str) -> bool:
    """Whether `word` is on the list of surnames, or both of its halves with a hyphen are."""
    return all(_usual(part) in SURNAMES for part in word.split("-"))


def is_doubtful(word: str) -> bool:
    """Whether a name is a word, a town, an eponym or a brand as well."""
    return _usual(word) in DOUBTFUL


def is_shouted(word: str) -> bool:
    """Whether `word` is written in capitals only."""
    return len(word) > 1 and word.isupper()


def read(text: str, at: int) -> tuple[int, list[str]]:
    """Where the name ends that begins at `at`, and its pieces; (at, []) where none begins there."""
    pieces: list[str] = []
    end = at
    while len(pieces) < _MOST_PIECES and (piece := _PIECE.match(text, at)):
        word = bare(piece[1])
        if not _goes_on(word, pieces):
            break
        initial = len(word) == 1 or bool(piece[2] and len(piece[2]) > 1)
        pieces.append(word + "." if initial else word)
        end = piece.start(1) + len(word)
        if initial and piece[2]:
            end = piece.end()
        gap = _GAP.match(text, end)
        if word != piece[1] or gap is None or (text[end - 1] == "." and not initial):
            break
        at = gap.end()
    return end, pieces


def bare(word: str) -> str:
    """A word without its possessive."""
    return word[:-2] if word.endswith(_POSSESSIVE) else word


def is_large(pieces: list[str]) -> bool:
    """Whether what reads as a name is a country, a province or a large town."""
    low = [piece.lower() for piece in pieces]
    together = " ".join(low) in LARGE_PLACES or " ".join(low[:2]) in LARGE_PLACES
    return together or all(word in LARGE_PLACES for word in low)


def is_phrase(pieces: list[str]) -> bool:
    """Whether a name's first two words are an eponym or an institution together."""
    low = " ".join(pieces).lower().replace("-", " ").split()
    return " ".join(low[:2]) in PHRASES


def is_eponym(text: str, start: int, end: int) -> bool:
    """Whether what stands around [start, end) makes it a disease, a test, a scale or a citation."""
    if text[start - 1 : start] in ("-", "/", "–") or _CITED.match(text, end):
        return True
    at = end
    for _ in range(3):
        follows = _NEXT.match(text, at)
        if follows is None:
            break
        word = bare(follows[1])
        if word.lower() in HEADS:
            return True
        if not word[0].isupper():
            break
        at = follows.end()
    return _is_of_a_head(text[max(0, start - 40) : start])


def _is_of_a_head(before: str) -> bool:
    """Whether `before` ends as "maladie de", "score clinique d'" or "signs of" do."""
    if before.endswith(("d'", "d’")):
        told = before[:-2].split()
    else:
        *told, last = before.split() or [""]
        if last not in _OF:
            return False
    return any(word.lower() in HEADS for word in told[-2:])


def _goes_on(word: str, pieces: list[str]) -> bool:
    low = word.lower()
    if low in PLAIN and len(word) > 1:
        return bool(pieces) and _is_surely(pieces[0]) and is_surname(word) and len(word) > 2
    if not pieces:
        return True
    shouted = is_shouted(word) and not is_shouted(pieces[0]) and len(pieces[0]) > 2
    if low in HEADS and not (_is_surely(pieces[0]) and is_surname(word)):
        return False
    return low not in BRANDS and (not shouted or len(word) > 4)


def _is_surely(given: str) -> bool:
    return is_given(given) and not is_doubtful(given) and given.lower() not in EPONYMS


def _usual(word: str) -> str:
    return plain(word.capitalize() if word.isupper() else word)

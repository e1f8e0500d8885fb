"""The one tokenizer: the same words go into the index and come out of a query, on both databases.

Every term is `[a-z0-9]+`, so neither SQLite's `unicode61` nor PostgreSQL can split or alter it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import chain
from threading import Lock

import Stemmer  # type: ignore[import-not-found]

_LONGEST = 40  # letters of a term; what follows is cut off on both sides alike
_ELISION = r"(?:[cdjlmnst]|(?:jus|lors|puis|quoi|quel|pres)?qu)['’ʼ](?=[^\W_ʼ])"
_LETTERS = r"[^\W\d_ʼ][^\W_ʼ]*(?:[\u0300-\u036f]+[^\W_ʼ]*)*"
# An elided article goes, and so does the English possessive; digits part from a unit ("80mg"),
# but not from a name they end ("HbA1c", "B12").
_WORD = re.compile(rf"(?:{_ELISION})?(aujourd['’ʼ]hui|\d+|{_LETTERS})(?:['’ʼ]s\b)?", re.IGNORECASE)

_SMALL_ENGLISH = """the of and to is was with were for his her he she had has have been from by
    this that which are be at it who no not after but there any what how does did should would"""
_SMALL_FRENCH = """le la les des du un une et est au aux avec pour dans par qui que sur pas il elle
    ce cette son sa ses ont sans chez nous vous je ne mais plus donc quel quelle mon ma mes avis"""
_ENGLISH = frozenset(_SMALL_ENGLISH.split())
_FRENCH = frozenset(_SMALL_FRENCH.split())
_FRENCH_LETTERS = re.compile("[àâçèéêëîïôùûœ]")
_SPACE = re.compile(r"\s")
_SAMPLE = 500  # code points that are enough to tell the language
_KEPT = 32_768  # words and stretches remembered, a few megabytes at most


def language_of(text: str, default: str = "en") -> str:
    """Tell `"fr"` from `"en"` by small words and accents; `default` when nothing decides."""
    sample = text[:_SAMPLE].casefold()
    words = set(sample.split())
    french = len(words & _FRENCH) + min(len(_FRENCH_LETTERS.findall(sample)), 3) / 2
    english = len(words & _ENGLISH)
    if french == english:
        return default
    return "fr" if french > english else "en"


def index_terms(text: str, language: str | None = None) -> list[str]:
    """The folded, stemmed terms of `text` in order, repeats kept; the language is told when None.

    All words are kept, stopwords too. Linear in the length of `text`.
    """
    known = _known_french if (language or language_of(text)) == "fr" else _known_english
    return list(chain.from_iterable(map(known.__getitem__, text.split())))


def query_terms(q: str) -> list[tuple[str, ...]]:
    """One sorted tuple of alternatives a query word: what either language would have indexed.

    A word typed without its French accents also finds the accented one. Words that yield
    nothing vanish.
    """
    return [terms for word in _WORD.findall(q) if (terms := _alternatives(word[:_LONGEST]))]


def highlights(text: str, q: str) -> list[tuple[int, int]]:
    """Spans (code points, end exclusive, ascending) of the words of `text` that match `q`."""
    return [(start, end) for start, end, _ in _matches(text, q)]


def snippet(text: str, q: str, width: int = 160) -> tuple[str, list[tuple[int, int]]]:
    """An excerpt on one line round the densest match, and the spans of the matches inside it.

    At most `width` code points of `text`, plus "… " and " …" where it was cut.
    """
    matches = list(_matches(text, q))
    start, end = _excerpt(text, _densest(matches, width), width)
    before, after = "… " if start else "", " …" if end < len(text) else ""
    shift = len(before) - start
    spans = [(a + shift, b + shift) for a, b, _ in matches if start <= a and b <= end]
    return before + _SPACE.sub(" ", text[start:end]) + after, spans


_english_stemmer = Stemmer.Stemmer("english", 0)  # 0: no cache of its own, ours sees whole words
_french_stemmer = Stemmer.Stemmer("french", 0)
_stemming = Lock()  # a PyStemmer stemmer is not re-entrant


class _Known(dict[str, tuple[str, ...]]):
    """The terms of each stretch between spaces, kept: people say the same words all day."""

    def __init__(self, stem: Callable[[str], str]) -> None:
        self._stem = stem

    def __missing__(self, stretch: str) -> tuple[str, ...]:
        words = _WORD.findall(stretch)
        terms = tuple(term for word in words if (term := self._stem(word[:_LONGEST])))
        if len(stretch) <= _LONGEST:
            if len(self) >= _KEPT:
                self.clear()
            self[stretch] = terms
        return terms


@lru_cache(maxsize=_KEPT)
def _english(word: str) -> str:
    return _stem(_english_stemmer, _fold(word))


@lru_cache(maxsize=_KEPT)
def _french(word: str) -> str:
    """Stem first: the French stemmer needs the accents ("associé" and "associée" are one)."""
    accented = unicodedata.normalize("NFKC", word).casefold().translate(_SPELT)
    return _fold(_stem(_french_stemmer, accented))


_known_english = _Known(_english)
_known_french = _Known(_french)


@lru_cache(maxsize=4_096)
def _alternatives(word: str) -> tuple[str, ...]:
    guesses = (pattern.sub(accented, word) for pattern, accented in _UNACCENTED)
    terms = {_english(word), _french(word), *map(_french, guesses)}
    return tuple(sorted(terms - {""}))


def _stem(stemmer: Stemmer.Stemmer, word: str) -> str:
    with _stemming:
        return str(stemmer.stemWord(word))


def _fold(word: str) -> str:
    """Lower case without accents, in ASCII letters and digits only."""
    if word.isascii() and word.isalnum():
        return word.lower()
    word = unicodedata.normalize("NFKD", word).casefold().translate(_PLAIN)
    return "".join(c if c.isascii() else _spell(c) for c in word if c.isalnum())[:_LONGEST]


def _spell(letter: str) -> str:
    """ASCII for a digit or letter of another script, which a database could fold its own way."""
    digit = unicodedata.digit(letter, None)
    return f"x{ord(letter):x}" if digit is None else str(digit)


_SPELT = str.maketrans(
    {"œ": "oe", "æ": "ae", "'": None, "’": None, "ʼ": None}
    | {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "κ": "kappa", "μ": "u", "ω": "omega"}
)
_PLAIN = _SPELT | str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ŋ": "n", "ħ": "h"}
)
# Endings that the French stemmer takes differently without their accents: with these three,
# 99.8% of the accented words in a set of French case reports are found without accents, else 85%.
_UNACCENTED = (
    (re.compile(r"e(e?s?)$", re.IGNORECASE), r"é\1"),
    (re.compile(r"ere(s?)$", re.IGNORECASE), r"ère\1"),
    (re.compile(r"es$", re.IGNORECASE), "ès"),
)


def _matches(text: str, q: str) -> Iterator[tuple[int, int, str]]:
    wanted = {term for terms in query_terms(q) for term in terms}
    for found in _WORD.finditer(text):
        word = found[1][:_LONGEST]
        term = next((t for t in (_french(word), _english(word)) if t in wanted), None)
        if term:
            yield found.start(1), found.end(1), term


def _densest(matches: list[tuple[int, int, str]], width: int) -> tuple[int, int]:
    """The stretch of at most `width` that holds the most different terms, the first such one."""
    best, stretch, first = 0, (0, 0), 0
    count: dict[str, int] = {}
    for _, end, term in matches:
        count[term] = count.get(term, 0) + 1
        while end - matches[first][0] > width and matches[first][1] < end:
            left = matches[first][2]
            count[left] -= 1
            if not count[left]:
                del count[left]
            first += 1
        if len(count) > best:
            best, stretch = len(count), (matches[first][0], end)
    return stretch


def _excerpt(text: str, stretch: tuple[int, int], width: int) -> tuple[int, int]:
    """Widen a stretch to `width`, a third of what is spare before it, cut between words."""
    start = max(0, min(stretch[0] - (width - (stretch[1] - stretch[0])) // 3, len(text) - width))
    start = min(start, stretch[0])
    end = min(len(text), start + width)
    if start:
        space = _SPACE.search(text, start - 1, stretch[0])
        start = space.end() if space else start
    if end < len(text):
        spaces = [space.start() for space in _SPACE.finditer(text, stretch[1], end + 1)]
        end = spaces[-1] if spaces and spaces[-1] > start else end
    return start, end

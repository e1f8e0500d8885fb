"""What somebody is called on a network, and what a body is known by to a machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lounge.guard.reading import is_clinical
from lounge.guard.shape import set_of
from lounge.guard.span import Span

_HANDLE = "handle"
_BIOMETRIC = "biometric"


def handles(text: str, words: frozenset[str]) -> Iterator[Span]:
    """Names on a network: "@jdoe99", "twitter @janesmith"; letters alone that no network introduces are soft.

    An "@" that says "at" ("50 mg @ 8h", "120 @rest") is none, nor is an e-mail address.
    """
    for found in _AT.finditer(text) if "@" in text else ():
        before = text[max(0, found.start() - 32) : found.start()]
        is_told = _NETWORK.search(before)
        if is_told or _is_made_up(found[1]):
            yield Span(*found.span(), _HANDLE, f"guard.{_HANDLE}")
        elif _is_strange(found[1]) and not _FIGURE.search(before):
            yield Span(*found.span(), _HANDLE, f"guard.{_HANDLE}", "soft")
    for found in _TOLD.finditer(text) if not words.isdisjoint(_NETWORKS) else ():
        if found[1] or not found[2].isalpha():
            yield Span(*found.span(2), _HANDLE, f"guard.{_HANDLE}")


def biometrics(text: str, words: frozenset[str]) -> Iterator[Span]:
    """The numbers of somebody's fingerprints, iris, voice or face."""
    for found in _MEASURED.finditer(text) if not words.isdisjoint(_BODIES) else ():
        digits = sum(map(str.isdigit, found[2]))
        if digits >= _FEWEST_DIGITS or (found[1] and digits >= _FEWEST_TOLD):
            yield Span(*found.span(2), _BIOMETRIC, f"guard.{_BIOMETRIC}")


def _is_made_up(name: str) -> bool:
    """With a sign or a number in it, as no word is; a time is written so too: "@day28"."""
    return not name.isalpha() and len(name) >= _SHORTEST and not _TIME.fullmatch(name)


def _is_strange(name: str) -> bool:
    return len(name) > _SHORTEST and name.islower() and not is_clinical(name)


def _cased(words: str) -> frozenset[str]:
    return frozenset(
        each for word in words.split() for each in (word, word.capitalize(), word.upper())
    )


_SHORTEST = 5
_FEWEST_DIGITS = 5
_FEWEST_TOLD = 4
_AT = re.compile(r"(?<![\w.@/+-])@([A-Za-z](?:[\w.]{0,28}\w))(?![\w@])")
_FIGURE = re.compile(r"\d[^\s\d]{0,6} ?$")
_TIME = re.compile(
    r"(?:t|d|j|h|day|days|week|weeks|wk|month|hour|hr|hrs|min|mins|jour|jours|mois|semaine|heure|bed"
    r"|room|lit|level|grade|stage|visit|year|yr|age|post|pre|rate|hz|rpm|peep|fio)_?\d+\w?",
    re.IGNORECASE,
)
_NETWORKS = (
    _cased("twitter instagram insta snapchat tiktok facebook telegram discord reddit bluesky skype")
    | _cased("mastodon pinterest username linkedin")
    | set_of("TikTok LinkedIn Whatsapp WhatsApp whatsapp")
)
_SITES = (
    "twitter|instagram|insta|snapchat|tiktok|facebook|telegram|discord|reddit|bluesky|skype|mastodon"
    "|pinterest|linkedin|whatsapp|username"
)
_NETWORK = re.compile(rf"\b(?:{_SITES})\b[^@\n]{{0,16}}$", re.IGNORECASE)
_TOLD = re.compile(
    rf"\b(?:{_SITES})(?: (?:handle|account|user|username|name|profile|id|compte|pseudo|profil))?"
    r"( is| was| est|[ ]?[:=])? ([A-Za-z][\w.]{2,28}\w)\b",
    re.IGNORECASE,
)
_BODIES = (
    _cased("fingerprint fingerprints thumbprint palmprint voiceprint faceprint iris retina retinal")
    | _cased("biometric biometrics empreinte empreintes biométrique rétinien rétinienne iridien")
    | set_of("finger facial faciale vocale print")
)
_MEASURED = re.compile(
    r"\b(?:(?:finger|thumb|palm|voice|face) ?prints?|(?:iris|retinal?|facial)(?: recognition)?"
    r" (?:scan|code|template)|biometrics?|empreintes? (?:digitales?|vocales?|rétiniennes?|palmaires?)"
    r"|scan (?:de l['’]iris|rétinien|facial|de la rétine)|(?:identifiant|code|donnée) biométrique)"
    r"(?: (?:scan|template|record|file|reader|hash|code|sample))?"
    r"( ?#| ?:| ?=| (?:id|no|nr|number|ref|reference|identifier|identifiant|numéro|réf)\b\.?:?| n[°º])?"
    r"(?: (?:is|was|est))? ?([A-Z]{0,4}-?\d[\dA-F-]{3,31})(?![\w.,]\d)",
    re.IGNORECASE,
)

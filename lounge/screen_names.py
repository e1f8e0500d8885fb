"""Screen names: one a doctor, the same in every room, that nobody can take for another's.

What a name looks like is its skeleton: characters that resemble each other become one (by the tables of
Unicode's TR 39), and case, accents, spaces and points go. A skeleton is given once, for ever.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge import guard
from lounge.doctors import Doctor, Doctors
from lounge.errors import Code, Refusal
from lounge.names import ADJECTIVES, COLOURS, NOUNS
from storage import gate, screen_names
from storage.database import Database

SHORTEST, LONGEST = 3, 30
MOST_TAKEN = 5
"""How many a doctor may take in all: those that she leaves stay hers."""

_NAMES = frozenset({"name", "initials"})  # what a screen name is
_SHAPE = re.compile(r"[^\W_]+(?:[ .'’-] ?[^\W_]+)*")
# Whole words, and what no name may hold anywhere, in either language.
_WORDS = (
    "admin admins bot help helpdesk host house maison mod mods root salon staff system team equipe"
)
_PARTS = """
administrat anonymous anonyme assistance doctor docteur lounge medecin moderat officer officiel official
operateur operator registrar registraire securite security support verified verifie
"""
_ALIKE = str.maketrans({"i": "l", "1": "l", "|": "l", "0": "o", "m": "rn", "w": "vv"})


class ScreenNames:
    """Gives screen names. Every method may raise StorageError."""

    def __init__(self, identity: Database, doctors: Doctors) -> None:
        self._identity = identity
        self._doctors = doctors

    async def choose(self, doctor: Doctor, name: str) -> str:
        """Her screen name from now on, as it will be shown. Raises Refusal saying what is wrong with it."""
        if not doctor.verified:
            raise Refusal(Code.FORBIDDEN, "refusal.not_verified")
        name = fit(name)
        async with self._identity.writing() as connection:
            await _take(connection, doctor.id, skeleton(name))
            await screen_names.put(connection, doctor.id, name)
            await gate.raise_epoch(connection)
        await self._doctors.move_gate()
        return name

    async def real_name(self, doctor_id: str) -> str:
        """For her own act of showing it. Raises Refusal when she is gone."""
        async with self._identity.reading() as connection:
            name = await screen_names.real_name(connection, doctor_id)
        if name is None:
            raise Refusal(Code.FORBIDDEN, "refusal.signed_out")
        return name


async def _take(connection: AsyncConnection, doctor_id: str, looks: str) -> None:
    owner = await screen_names.owner(connection, looks)
    if owner == (doctor_id,):
        return
    if owner is None and await screen_names.count(connection, doctor_id) >= MOST_TAKEN:
        raise Refusal(Code.FORBIDDEN, "screen_name.often", most=MOST_TAKEN)
    if owner is not None or not await screen_names.take(connection, looks, doctor_id):
        raise Refusal(Code.INVALID, "screen_name.taken", field="name")


def fit(name: str) -> str:
    """The name as it is shown, if a doctor may be called so. Raises Refusal saying why not."""
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    if not SHORTEST <= len(name) <= LONGEST or not _SHAPE.fullmatch(name):
        raise Refusal(Code.INVALID, "screen_name.shape", least=SHORTEST, most=LONGEST)
    if _deceives(name):
        raise Refusal(Code.INVALID, "screen_name.confusable", field="name")
    if _is_of_the_house(name):
        raise Refusal(Code.INVALID, "screen_name.house", field="name")
    if _looks_made_up(skeleton(name)):
        raise Refusal(Code.INVALID, "screen_name.made_up", field="name")
    if held := tuple(span for span in guard.examine(name).spans if span.kind not in _NAMES):
        raise Refusal(Code.HELD_PRIVACY, "refusal.held_privacy", spans=held, field="name")
    return name


def skeleton(name: str) -> str:
    """The same for all names that look alike."""
    seen = "".join(_prototypes().get(each, each) for each in unicodedata.normalize("NFKC", name))
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", seen).casefold())
    folded = "".join(_prototypes().get(each, each) for each in plain)
    return "".join(each for each in folded.casefold().translate(_ALIKE) if each.isalnum())


def _deceives(name: str) -> bool:
    """Letters of two scripts, or of another script that are there to be taken for Latin ones."""
    # its tables take a tenth of a second to read
    from confusable_homoglyphs import confusables  # type: ignore[import-untyped]

    if confusables.is_mixed_script(name):
        return True
    letters = "".join(each for each in name if each.isalpha())
    found = confusables.is_confusable(letters, greedy=True, preferred_aliases=["latin"]) or []
    return len(found) == len(set(letters))


def _is_of_the_house(name: str) -> bool:
    whole = skeleton(name)
    if any(skeleton(part) in whole for part in _PARTS.split()):
        return True
    return bool({skeleton(word) for word in re.split(r"[\W_]+", name) if word} & _house_words())


@cache
def _house_words() -> frozenset[str]:
    return frozenset(map(skeleton, _WORDS.split()))


def _looks_made_up(whole: str) -> bool:
    """Read like a persona's name, with or without the spaces and the number."""
    return _made_up().fullmatch(whole) is not None


@cache
def _made_up() -> re.Pattern[str]:
    nouns, adjectives, colours = (
        "|".join(map(skeleton, words)) for words in (NOUNS, ADJECTIVES, COLOURS)
    )
    return re.compile(rf"(?:{nouns})(?:{adjectives}|{colours}){{1,2}}[0-9lo]*")


@cache
def _prototypes() -> dict[str, str]:
    """To each character that resembles a plain letter or digit, that one."""
    from confusable_homoglyphs import confusables

    found: dict[str, str] = {}
    for plain in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ023456789":
        for alike in confusables.confusables_data.get(plain, ()):
            character = alike["c"].strip("\u200e")
            if len(character) == 1 and not character.isascii():
                found.setdefault(character, plain)
    return found

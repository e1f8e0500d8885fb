"""People and towns by lot, as they are written: titled, hyphenated, with particles, in capitals."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.quality.headed import headed


class People:
    """Every second name of a language's lists, from number `which`."""

    def __init__(self, language: str, which: int, lot: Random) -> None:
        told = headed(Path(__file__).with_name("people.txt"))
        self._language, self._lot = language, lot
        self._firsts, self._lasts, self._towns = (
            "|".join(told[f"{language}.{name}"]).split("|")[which::2]
            for name in ("given", "surnames", "towns")
        )

    def named(self, slot: str) -> tuple[str, str]:
        """A title or nothing, and the name, as {slot} says."""
        return getattr(self, f"_{slot.lower()}")()  # type: ignore[no-any-return]

    def _town(self) -> tuple[str, str]:
        return "", self._lot.choice(self._towns)

    def _first(self) -> str:
        given = self._lot.choice(self._firsts)
        return f"{given}-{self._lot.choice(self._firsts)}" if self._chance(8) else given

    def _last(self) -> str:
        one, other = self._lot.choice(self._lasts), self._lot.choice(self._lasts)
        if self._chance(8):
            return f"{one}-{other}"
        if self._chance(8):
            return self._lot.choice(_PARTICLES[self._language]) + one
        return one

    def _chance(self, percent: int) -> bool:
        return self._lot.random() * 100 < percent

    def _given(self) -> tuple[str, str]:
        return "", self._first()

    def _surname(self) -> tuple[str, str]:
        return "", self._last()

    def _full(self) -> tuple[str, str]:
        return "", f"{self._first()} {self._last()}"

    def _titled(self) -> tuple[str, str]:
        title = self._lot.choice(_TITLES[self._language])
        name = self._full()[1] if self._chance(25) else self._last()
        return f"{title} ", name.upper() if self._chance(6) else name

    def _doctor(self) -> tuple[str, str]:
        return f"{self._lot.choice(_DOCTORS[self._language])} ", self._last()

    def _titled_initials(self) -> tuple[str, str]:
        letters = self._lot.choices("ABCDEFGHJKLMPRSTV", k=self._lot.randint(1, 2))
        return f"{self._lot.choice(_TITLES[self._language])} ", "".join(
            f"{one}." for one in letters
        )

    def _initialled(self) -> tuple[str, str]:
        letters = self._lot.choices("ABCDEFGHJKLMPRSTV", k=self._lot.choice((1, 1, 2)))
        return "", f"{' '.join(f'{one}.' for one in letters)} {self._lot.choice(self._lasts)}"

    def _last_first(self) -> tuple[str, str]:
        surname, given = self._lot.choice(self._lasts), self._lot.choice(self._firsts)
        return "", self._lot.choice((f"{surname.upper()} {given}", f"{surname.upper()}, {given}"))

    def _small(self) -> tuple[str, str]:
        title = self._lot.choice(_SMALL[self._language])
        return f"{title} ", self._lot.choice(self._lasts).lower()

    def _shouted(self) -> tuple[str, str]:
        return "", f"{self._lot.choice(self._firsts)} {self._lot.choice(self._lasts)}".upper()


_TITLES = {
    "en": ("Mrs", "Mr", "Ms", "Miss", "Mr.", "Mrs.", "Mrs", "Mr"),
    "fr": ("Mme", "M.", "Mlle", "madame", "monsieur", "Mr", "Madame", "Mme"),
}
_DOCTORS = {
    "en": ("Dr", "Dr.", "Doctor", "Prof."),
    "fr": ("Dr", "Dre", "Docteur", "Pr"),
}
_SMALL = {"en": ("mrs", "mr", "Mrs"), "fr": ("mme", "madame", "Mme", "monsieur")}
_PARTICLES = {
    "en": ("van ", "de ", "O'", "Mc", "al-", "St. ", "bint ", "van der "),
    "fr": ("de ", "Le ", "La ", "d'", "de la ", "El ", "St-", "Ben "),
}

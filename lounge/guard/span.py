"""What the guard finds: stretches of a text, why each is marked, and whether its author may waive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["hard", "soft"]
Language = Literal["en", "fr"]


@dataclass(frozen=True, slots=True)
class Span:
    """Code points [start, end) of a text; `why` is the catalogue key of a reason a person reads.

    Hard ones are never posted; soft ones are, by an author who says that this is not a patient.
    `instead`: what may stand there, in the text's language, such as "[date]".
    """

    start: int
    end: int
    kind: str
    why: str
    level: Level = "hard"
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, ascending, none overlapping. `language` None: neither, or too short to tell.

    `names_checked`: false where the text is surely in another language, whose names nobody knows here.
    """

    spans: tuple[Span, ...] = ()
    language: Language | None = None
    names_checked: bool = True

    @property
    def hard(self) -> tuple[Span, ...]:
        """What nobody can waive."""
        return tuple(span for span in self.spans if span.level == "hard")

    def held(self, *, not_patient: bool) -> tuple[Span, ...]:
        """What keeps the text from being posted: everything, or with her word only what is hard."""
        return self.hard if not_patient else self.spans

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds found, each once, in order of the alphabet."""
        return tuple(sorted({span.kind for span in self.spans}))

"""What a doctor claims, what a source finds about it, and what a source is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Subject = Literal["person", "licence"]
Verdict = Literal["agrees", "disagrees", "unknown", "away"]

PERSON: frozenset[Subject] = frozenset({"person"})
LICENCE: frozenset[Subject] = frozenset({"licence"})
BOTH: frozenset[Subject] = frozenset({"person", "licence"})

CHECK_DIGIT = "licence_check_digit"
LAPSED = "licence_expired"
SUSPENDED = "licence_suspended"
REMOVED = "house_removed"
ENDINGS = {LAPSED: "expired", REMOVED: "suspended", SUSPENDED: "suspended"}
"""The reasons of a finding by which a licence is known and no longer good, and what they make of her."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What she says of herself. `licence` is normalised, `body` one of `validators.BODIES`.

    `email_confirmed`: she has shown that letters to `email` reach her.
    """

    doctor_id: str
    email: str
    name: str
    country: str
    region: str | None
    specialty: str
    grade: str
    body: str | None
    licence: str | None
    email_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What one source says. `reason` is a code with a sentence `standing.<reason>`.

    Findings of one `family` count once. `public`: rests on facts that anybody can look up.
    `strong`: a credential that is enough by itself. Times are ms since 1970.
    """

    source: str
    family: str
    covers: frozenset[Subject]
    verdict: Verdict
    reason: str
    public: bool
    at: int
    strong: bool = False
    valid_until: int | None = None


class Source(Protocol):
    """Somebody who knows something. A source that cannot be asked answers `away`, never raises."""

    @property
    def name(self) -> str: ...

    async def examine(self, claim: Claim) -> Finding | None:
        """What it finds; None when this claim is nothing to it."""

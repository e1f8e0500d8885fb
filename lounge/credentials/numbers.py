"""The form of a licence number: proves nothing, but a wrong one ends it."""

from __future__ import annotations

from collections.abc import Callable

from lounge.credentials.claims import CHECK_DIGIT, Claim, Finding
from lounge.credentials.validators import normalised
from lounge.errors import Refusal


class Numbers:
    """A source that covers nothing: anybody can write a number that looks right."""

    name = "number"

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock

    async def examine(self, claim: Claim) -> Finding | None:
        """None without a number."""
        if claim.body is None or claim.licence is None:
            return None
        right = _is_right(claim.body, claim.licence)
        return Finding(
            source=self.name,
            family="number",
            covers=frozenset(),
            verdict="agrees" if right else "disagrees",
            reason="number_well_formed" if right else CHECK_DIGIT,
            public=True,
            at=self._clock(),
        )


def _is_right(body: str, licence: str) -> bool:
    try:
        return normalised(body, licence) == licence
    except Refusal:
        return False

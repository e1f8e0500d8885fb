"""An e-mail address at an institution that the house has listed: this person works there."""

from __future__ import annotations

from collections.abc import Callable, Set

from lounge.credentials.claims import PERSON, Claim, Finding


class Institutions:
    """A source: who receives letters at a listed institution is known there."""

    name = "institution"

    def __init__(self, domains: Set[str], clock: Callable[[], int]) -> None:
        self._domains = domains
        self._clock = clock

    async def examine(self, claim: Claim) -> Finding | None:
        """Only for an address that she has confirmed."""
        if not claim.email_confirmed or not self._lists(claim.email.rpartition("@")[2]):
            return None
        return Finding(
            source=self.name,
            family="institution",
            covers=PERSON,
            verdict="agrees",
            reason="mail_at_institution",
            public=False,
            at=self._clock(),
        )

    def _lists(self, domain: str) -> bool:
        parents = (domain[start:] for start, sign in enumerate(domain) if sign == ".")
        return domain in self._domains or any(parent in self._domains for parent in parents)

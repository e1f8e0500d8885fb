"""Two verified doctors who know her: this person is who she says."""

from __future__ import annotations

from collections.abc import Callable

from lounge.credentials.claims import PERSON, Claim, Finding
from lounge.credentials.presets import DAY_MS
from lounge.credentials.records import whom_of
from lounge.errors import Code, Refusal
from lounge.keys import Keyring
from storage import applications, vouchers
from storage.database import Database

NEEDED = 2
MOST = 5  # from one doctor
WITHIN_MS = 30 * DAY_MS


class Vouchers:
    """A source. Only vouchers of doctors who are verified when it is asked count."""

    name = "voucher"

    def __init__(self, identity: Database, keyring: Keyring, clock: Callable[[], int]) -> None:
        self._identity = identity
        self._keyring = keyring
        self._clock = clock

    async def vouch(self, by: str, email: str) -> None:
        """Vouch for whoever applies with this e-mail, or has applied: nothing tells which.

        Raises Refusal `rate_limited`.
        """
        now = self._clock()
        async with self._identity.writing() as connection:
            if await vouchers.given(connection, by, now - WITHIN_MS) >= MOST:
                raise Refusal(Code.RATE_LIMITED, "voucher.too_many", most=MOST, retry_after=3600)
            await vouchers.add(connection, whom_of(self._keyring, email), by, now)
            await applications.ask_anew_of_email(connection, email, now)

    async def examine(self, claim: Claim) -> Finding | None:
        """None as long as nobody vouches."""
        async with self._identity.reading() as connection:
            whom = whom_of(self._keyring, claim.email)
            count = await vouchers.count(connection, whom, claim.doctor_id)
        if count == 0:
            return None
        enough = count >= NEEDED
        return Finding(
            source=self.name,
            family="voucher",
            covers=PERSON,
            verdict="agrees" if enough else "unknown",
            reason="two_colleagues" if enough else "one_colleague",
            public=False,
            at=self._clock(),
        )

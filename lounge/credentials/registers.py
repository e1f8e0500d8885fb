"""What imported registers say of a licence: public facts, which never verify by themselves."""

from __future__ import annotations

from collections.abc import Callable

from lounge.clock import now_ms
from lounge.credentials.claims import LAPSED, LICENCE, SUSPENDED, Claim, Finding, Verdict
from lounge.credentials.folding import same_person
from storage import registers
from storage.database import Database, StorageError
from storage.registers import Entry

AGREES, NAME, UNKNOWN = "register_agrees", "register_name", "register_unknown"
NO_DOCTOR, TRAINEE, AWAY = "register_no_doctor", "register_trainee", "source_away"


class Registers:
    """The source `register`: looks a licence up in the current snapshot of its body."""

    name = "register"

    def __init__(
        self,
        identity: Database,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._identity = identity
        self._clock = clock

    async def examine(self, claim: Claim) -> Finding | None:
        """None when she names no licence, or nobody has imported its register."""
        if claim.body is None or claim.licence is None:
            return None
        now = self._clock()
        try:
            async with self._identity.reading() as connection:
                snapshot = await registers.current(connection, claim.body)
                if snapshot is None:
                    return None
                entry = await registers.find(connection, snapshot, claim.licence)
        except StorageError:
            return finding(self.name, claim.body, ("away", AWAY), None, now)
        return finding(self.name, claim.body, judged(claim.name, entry, now), entry, now)


def judged(name: str, entry: Entry | None, now: int) -> tuple[Verdict, str]:
    """What an entry says of whoever claims its number: the standing first, then the name."""
    if entry is None:
        return "unknown", UNKNOWN
    if entry.status in _AGAINST:
        return "disagrees", _AGAINST[entry.status]
    if entry.until is not None and entry.until <= now:
        return "disagrees", LAPSED
    if entry.names is None or not same_person(name, entry.names):
        return "disagrees", NAME
    return ("unknown", TRAINEE) if entry.status == "trainee" else ("agrees", AGREES)


def finding(
    source: str, body: str, said: tuple[Verdict, str], entry: Entry | None, now: int
) -> Finding:
    """Whoever tells of one register is of one family, however it was asked."""
    verdict, reason = said
    return Finding(
        source=source,
        family=f"register {body}",
        covers=LICENCE,
        verdict=verdict,
        reason=reason,
        public=True,
        at=now,
        valid_until=entry.until if entry else None,
    )


_AGAINST = {"lapsed": LAPSED, "suspended": SUSPENDED, "other": NO_DOCTOR}

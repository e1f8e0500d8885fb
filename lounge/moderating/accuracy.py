"""How right a doctor's reports have been, kept among her own things: it weighs what she reports next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.belongings import Belongings

OUTCOMES = {"report_upheld": True, "report_dismissed": False}
"""The notices that tell a reporter what came of it."""
MOST_JUDGED = 100
FEWEST = 5
"""Of fewer closed reports nothing follows."""
RARELY, MOSTLY = 0.2, 0.8
FULL = 2


def weight(judged: Sequence[bool]) -> int:
    """0 to 2: what a report counts for, after these were upheld (True) or dismissed; of a newcomer, 1."""
    if len(judged) < FEWEST:
        return 1
    right = sum(judged) / len(judged)
    if right < RARELY:
        return 0
    return FULL if right >= MOSTLY else 1


class Accuracy:
    """Learns from the letters that tell a reporter the outcome, as they arrive."""

    def __init__(self, belongings: Belongings) -> None:
        self._belongings = belongings

    async def weight_of(self, doctor_id: str) -> int:
        """What a report of hers counts for now. Raises StorageError."""
        return weight((await self._belongings.kept(doctor_id)).judged)

    async def arriving(
        self, connection: AsyncConnection, doctor_id: str, notices: Sequence[Mapping[str, object]]
    ) -> None:
        """In the transaction that brings them: outcomes are learnt once, and never together with a say."""
        codes = [str(each.get("notice")) for each in notices]
        judged = [OUTCOMES[code] for code in codes if code in OUTCOMES]
        things = await self._belongings.held(connection, doctor_id) if judged else None
        if things is None:
            return
        last = (*things.judged, *judged)[-MOST_JUDGED:]
        await self._belongings.put(
            connection, doctor_id, msgspec.structs.replace(things, judged=last)
        )

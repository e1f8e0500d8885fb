"""What closing a report does about what a crowd has done to the entry: nothing stays pending."""

from __future__ import annotations

from typing import Literal

from lounge.acting import Plan, Seat
from lounge.conversation import Conversation
from lounge.door import Guest
from lounge.drafts import draft
from lounge.moderating.acts import Acts
from lounge.moderating.asked import Asked
from lounge.moderating.reports import DISPUTED_BY_MANY
from storage import entries, moderating, reports
from storage.acts import Noted
from storage.database import Database
from storage.entries import Standing
from storage.reports import Report


class Settling:
    """Each may be repeated. Raises Refusal."""

    def __init__(self, *, database: Database, conversation: Conversation, acts: Acts) -> None:
        self._database = database
        self._conversation = conversation
        self._acts = acts

    async def settle(
        self, guest: Guest, report: Report, outcome: Literal["upheld", "dismissed"]
    ) -> None:
        """What is hidden until a moderator looks is hidden by her now, or shown again; a dispute may end."""
        async with self._database.reading() as connection:
            was = await entries.standing(connection, report.room_id, report.seq)
        if was is None or was.redacted is not None:
            return
        if await self._is_pending(report, was):
            await self._acts.do(guest, _asked(report, outcome))
        elif was.hidden is None and outcome == "dismissed" and await self._is_disputed(report):
            await self._undispute(guest, report)

    async def _is_pending(self, report: Report, was: Standing) -> bool:
        if was.hidden is None:
            return False
        async with self._database.reading() as connection:
            by = await entries.standing(connection, report.room_id, was.hidden)
        return by is not None and bool(by.body.get("pending")) and by.body["reason"] == report.kind

    async def _is_disputed(self, report: Report) -> bool:
        if report.kind != DISPUTED_BY_MANY:
            return False
        async with self._database.reading() as connection:
            told = await reports.caution_of(connection, report.room_id, report.seq)
            by = await entries.standing(connection, report.room_id, told) if told else None
        return by is not None and by.body["doctors"] > 0

    async def _undispute(self, guest: Guest, report: Report) -> None:
        seat: Seat = await self._conversation.seat_above(guest, report.room)
        request = self._conversation.request(seat, _cid(report), "undispute", report.seq)
        body = {"role": "moderator", "doctors": 0, "why": []}
        plan = Plan(
            draft("mod.caution", body, target=report.seq),
            (moderating.caution(report.room_id, report.seq),),
            noted=Noted("entry.undisputed", "moderator", f"{report.room} {report.seq}", {}),
        )

        async def planned() -> Plan:
            return plan

        await self._conversation.planned(seat, request, planned)


def _asked(report: Report, outcome: str) -> Asked:
    return Asked(
        room=report.room,
        act="hide" if outcome == "upheld" else "restore",
        cid=_cid(report),
        seq=report.seq,
        reason=report.kind,  # type: ignore[arg-type]
    )


def _cid(report: Report) -> str:
    return f"closing {report.id}"

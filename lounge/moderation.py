"""What moderators do with reports. Hiding an entry is a redaction with a reason (`conversation`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lounge import policy
from lounge.consults import is_consult
from lounge.doctors import Doctor
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.talks import is_talk
from storage import audit, reports
from storage.reports import Report

if TYPE_CHECKING:
    from lounge.opening import Lounge

SHOWN = 100


async def open_reports(lounge: Lounge, doctor: Doctor) -> list[tuple[Report, bytes | None]]:
    """The oldest open reports, each with its entry as it stands now (JSON). Raises Refusal."""
    require_moderator(doctor)
    async with lounge.database.reading() as connection:
        found = await reports.open_reports(connection, SHOWN)
    events: dict[tuple[str, int], bytes] = {}
    for room in {report.room for report in found}:
        seqs = sorted({report.seq for report in found if report.room == room})
        for item in (await lounge.transcript.at(room, seqs)).items:
            events[room, item.seq] = item.payload
    return [(report, events.get((report.room, report.seq))) for report in found]


async def close_report(lounge: Lounge, doctor: Doctor, report_id: str, outcome: str) -> None:
    """Close a report as upheld or dismissed. Raises Refusal."""
    require_moderator(doctor)
    async with lounge.database.writing() as connection:
        if not await reports.close(connection, report_id, outcome):
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_report")
        await audit.append_lounge(
            connection, "report.closed", by="moderator", about=report_id, detail={"as": outcome}
        )


async def hide_reported(
    lounge: Lounge, guest: Guest, report_id: str, reason: str, cid: str
) -> None:
    """Hide the entry that a report is about: the only way to one of a talk. Raises Refusal."""
    require_moderator(guest.doctor)
    async with lounge.database.reading() as connection:
        report = await reports.by_id(connection, report_id)
    if report is None:
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_report")
    seat = await lounge.conversation.seat_above(guest, report.room)
    await lounge.conversation.redact(seat, report.seq, cid, reason)


async def reach(lounge: Lounge, moderator: Doctor, room_id: str, seq: int) -> str:
    """The room, if this moderator may act on that entry of it: of a talk, on what was reported.

    Raises Refusal.
    """
    require_moderator(moderator)
    if is_consult(room_id):
        return (await lounge.consults.admit(moderator, room_id)).id
    if not is_talk(room_id):
        return policy.admit(moderator, room_id, lounge.rooms).id
    policy.require_open(moderator)
    async with lounge.database.reading() as connection:
        if not await reports.is_reported(connection, room_id, seq):
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
    return room_id


def require_moderator(doctor: Doctor) -> None:
    """Raises Refusal."""
    if not policy.may_moderate(doctor):
        raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")

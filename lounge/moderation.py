"""What moderators do with reports. Hiding an entry is a redaction with a reason (`conversation`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lounge import policy
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from storage import reports
from storage.reports import Report

if TYPE_CHECKING:
    from lounge.opening import Lounge

SHOWN = 100


async def open_reports(lounge: Lounge, doctor: Doctor) -> list[tuple[Report, bytes | None]]:
    """The oldest open reports, each with its entry as it stands now (JSON). Raises Refusal."""
    _moderator(doctor)
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
    _moderator(doctor)
    async with lounge.database.writing() as connection:
        known = await reports.close(connection, report_id, outcome)
    if not known:
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_report")


def _moderator(doctor: Doctor) -> None:
    if not policy.may_moderate(doctor):
        raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")

"""The moderators' queue over HTTP: reports and appeals, whose turn they are, what came of them; duty.

No answer says who reported, who wrote, or which moderator it was.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.events import Time, rfc3339
from lounge.limits import CHANGES, READS
from lounge.moderating import appeals, queue
from lounge.moderating.asked import Means
from lounge.moderating.waived import Waived
from lounge.opening import Lounge
from web import wire
from web.accounts import answer, nothing, path_id, read_body
from web.visitor import acting, require_act, require_visit

Claimed = Literal["mine", "other"]


class ReportLine(Struct, frozen=True):
    """An open report with its entry as it stands (null: gone). `same`: open reports of others about it.

    `weight` 0 to 2: how right the reporter has been. `evidence`: the words as they were reported, only to
    whom it is claimed by.
    """

    id: str
    room: wire.RoomId
    seq: int
    kind: str
    at: Time
    weight: int
    same: int
    urgent: bool
    claimed: Claimed | None
    event: msgspec.Raw | None
    note: str | UnsetType = UNSET
    claimed_until: Time | UnsetType = UNSET
    evidence: str | UnsetType = UNSET


class ReportList(Struct, frozen=True):
    """The urgent first, then the oldest; at most 100."""

    reports: list[ReportLine]


class ClaimAnswer(Struct, frozen=True):
    """Until when it is one's own turn; claiming again renews it. `evidence`: as in ReportLine."""

    claimed_until: Time
    evidence: str | UnsetType = UNSET


class NewNote(Struct, frozen=True):
    text: Annotated[str, Meta(min_length=1, max_length=1000)]


class NoteLine(Struct, frozen=True):
    text: str
    at: Time


class NoteList(Struct, frozen=True):
    notes: list[NoteLine]


class Closing(Struct, frozen=True):
    """`act`: by which means it was answered, if by any; for the audit."""

    outcome: Literal["upheld", "dismissed"]
    act: Means | None = None


class ContextEvents(Struct, frozen=True):
    """The entries around one, ascending."""

    events: list[msgspec.Raw]


class AppealClaim(Struct, frozen=True):
    """As ClaimAnswer; `words`: as in AppealLine."""

    claimed_until: Time
    words: str | UnsetType = UNSET


class AppealLine(Struct, frozen=True):
    """An open appeal: `act` is what it is against, `event` the entry as it stands.

    `words`: what a hidden entry says, only to whom the appeal is claimed by.
    """

    id: str
    room: wire.RoomId
    seq: int
    text: str
    at: Time
    act: Literal["hide", "warn", "mute", "remove"]
    claimed: Claimed | None
    event: msgspec.Raw | None
    reason: str | UnsetType = UNSET
    claimed_until: Time | UnsetType = UNSET
    words: str | UnsetType = UNSET


class AppealList(Struct, frozen=True):
    appeals: list[AppealLine]


class AppealClosing(Struct, frozen=True):
    """`lifted`: what it is against is taken back."""

    outcome: Literal["upheld", "lifted"]


class WaivedLine(Struct, frozen=True):
    """An entry of which its author said "this is not a patient", and the `kinds` of what was marked."""

    room: wire.RoomId
    seq: int
    at: Time
    kinds: list[str]
    event: msgspec.Raw | None


class WaivedList(Struct, frozen=True):
    """The newest first; at most 100."""

    waived: list[WaivedLine]


class DutyAnswer(Struct, frozen=True):
    """Until when one is told of urgent reports as being on duty; absent: one is not."""

    until: Time | UnsetType = UNSET


class OnDuty(Struct, frozen=True):
    minutes: Annotated[int, Meta(ge=1, le=24 * 60)]


# -- reports -------------------------------------------------------------------------------------


async def list_reports(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    found = await lounge.moderating.queue.open(visit.doctor)
    return answer(ReportList([_report(each) for each in found]))


async def claim_report(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    claimed = await lounge.moderating.queue.claim(visit.doctor, path_id(request))
    return answer(ClaimAnswer(rfc3339(claimed.until), claimed.evidence or UNSET))


async def release_report(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    await lounge.moderating.queue.release(visit.doctor, path_id(request))
    return nothing()


async def list_notes(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    found = await lounge.moderating.queue.remarks(visit.doctor, path_id(request))
    return answer(NoteList([NoteLine(each.text, rfc3339(each.at)) for each in found]))


async def add_note(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    body = await read_body(request, NewNote)
    await lounge.moderating.queue.remark(visit.doctor, path_id(request), body.text)
    return nothing()


async def see_context(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    found = await lounge.moderating.queue.context(visit.doctor, path_id(request))
    return answer(ContextEvents([msgspec.Raw(each) for each in found]))


async def close_report(request: Request) -> Response:
    async with acting(request) as guest:
        body = await read_body(request, Closing)
        queue = _lounge(request).moderating.queue
        await queue.close(guest, path_id(request), body.outcome, body.act)
    return nothing()


# -- appeals -------------------------------------------------------------------------------------


async def list_appeals(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    found = await lounge.moderating.appeals.open(visit.doctor)
    return answer(AppealList([_appeal(each) for each in found]))


async def claim_appeal(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    claimed = await lounge.moderating.appeals.claim(visit.doctor, path_id(request))
    return answer(AppealClaim(rfc3339(claimed.until), claimed.words or UNSET))


async def release_appeal(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    await lounge.moderating.appeals.release(visit.doctor, path_id(request))
    return nothing()


async def close_appeal(request: Request) -> Response:
    async with acting(request) as guest:
        body = await read_body(request, AppealClosing)
        await _lounge(request).moderating.appeals.close(guest, path_id(request), body.outcome)
    return nothing()


# -- waived texts, duty --------------------------------------------------------------------------


async def list_waived(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    found = await lounge.moderating.waived.newest(visit.doctor)
    return answer(WaivedList([_waived(each) for each in found]))


async def see_duty(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    return answer(_duty(await lounge.moderating.duty.until(visit.doctor)))


async def begin_duty(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    body = await read_body(request, OnDuty)
    return answer(_duty(await lounge.moderating.duty.begin(visit.doctor, body.minutes)))


async def end_duty(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    await lounge.moderating.duty.end(visit.doctor)
    return nothing()


# -- privates ------------------------------------------------------------------------------------


def _report(each: queue.Waiting) -> ReportLine:
    report = each.report
    return ReportLine(
        id=report.id,
        room=report.room,
        seq=report.seq,
        kind=report.kind,
        at=rfc3339(report.at),
        weight=report.weight,
        same=each.same,
        urgent=report.urgent,
        claimed=each.claimed,
        event=_raw(each.event),
        note=report.note or UNSET,
        claimed_until=_until(each.claimed, report.claimed_until),
        evidence=each.evidence or UNSET,
    )


def _appeal(each: appeals.Waiting) -> AppealLine:
    appeal = each.appeal
    return AppealLine(
        id=appeal.id,
        room=appeal.room,
        seq=appeal.seq,
        text=appeal.text,
        at=rfc3339(appeal.at),
        act=each.act,
        claimed=each.claimed,
        event=_raw(each.event),
        reason=each.reason or UNSET,
        claimed_until=_until(each.claimed, appeal.claimed_until),
        words=each.words or UNSET,
    )


def _waived(each: Waived) -> WaivedLine:
    return WaivedLine(each.room, each.seq, rfc3339(each.at), list(each.kinds), _raw(each.event))


def _duty(until: int | None) -> DutyAnswer:
    return DutyAnswer(UNSET if until is None else rfc3339(until))


def _raw(event: bytes | None) -> msgspec.Raw | None:
    return None if event is None else msgspec.Raw(event)


def _until(claimed: Claimed | None, until: int | None) -> Time | UnsetType:
    return UNSET if claimed is None or until is None else rfc3339(until)


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge


routes = [
    Route("/api/reports", list_reports, methods=["GET"]),
    Route("/api/reports/{id}/claim", claim_report, methods=["POST"]),
    Route("/api/reports/{id}/release", release_report, methods=["POST"]),
    Route("/api/reports/{id}/notes", list_notes, methods=["GET"]),
    Route("/api/reports/{id}/notes", add_note, methods=["POST"]),
    Route("/api/reports/{id}/context", see_context, methods=["GET"]),
    Route("/api/reports/{id}/close", close_report, methods=["POST"]),
    Route("/api/appeals", list_appeals, methods=["GET"]),
    Route("/api/appeals/{id}/claim", claim_appeal, methods=["POST"]),
    Route("/api/appeals/{id}/release", release_appeal, methods=["POST"]),
    Route("/api/appeals/{id}/close", close_appeal, methods=["POST"]),
    Route("/api/waived", list_waived, methods=["GET"]),
    Route("/api/duty", see_duty, methods=["GET"]),
    Route("/api/duty", begin_duty, methods=["PUT"]),
    Route("/api/duty", end_duty, methods=["DELETE"]),
]

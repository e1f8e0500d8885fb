"""The board of consults over HTTP: which cases wait, and how long cases wait for a first opinion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, get_args

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge import first_opinions, policy
from lounge.board import MOST_LISTED, Line, Wanted
from lounge.errors import Code, Refusal
from lounge.events import By, Count, Phase, Time, Urgency, rfc3339
from lounge.first_opinions import DAYS, Timed, Wait
from lounge.limits import READS
from lounge.opening import Lounge
from web import wire
from web.accounts import answer
from web.visitor import require_visit


class BoardLine(Struct, frozen=True):
    """A case. `question` is missing once a moderator has hidden it; `waiting_since`: its opening."""

    id: wire.RoomId
    urgency: Urgency
    specialties: list[str]
    phase: Phase
    opinions: Count
    looking: Count
    opened: Time
    closes: Time
    by: By
    mine: bool
    waiting_since: Time
    question: str | UnsetType = UNSET
    withdrawn: Count | UnsetType = UNSET


class WaitFigures(Struct, frozen=True):
    """Seconds to the first opinion: half of the `n` cases that had one within `median_s`, nine in ten
    within `p90_s`. `unanswered`: how many had none.
    """

    n: Count
    unanswered: Count
    median_s: float | UnsetType = UNSET
    p90_s: float | UnsetType = UNSET


class UsualWait(WaitFigures, frozen=True):
    """Of the last 90 days; `this_hour`: of those opened in this hour of the day, if there were any."""

    this_hour: WaitFigures | UnsetType = UNSET


class BoardList(Struct, frozen=True):
    consults: list[BoardLine]
    usual: UsualWait


class HourFigures(WaitFigures, frozen=True, kw_only=True):
    """`hour` of the day, 0 to 23, UTC."""

    hour: Annotated[int, Meta(ge=0, le=23)]


class DayFigures(WaitFigures, frozen=True, kw_only=True):
    """`day`: as 2026-11-23, UTC."""

    day: str


class Figures(WaitFigures, frozen=True, kw_only=True):
    """Over so many `days`, and apart by hour of the day and by day; only those with cases."""

    days: Count
    by_hour: list[HourFigures]
    by_day: list[DayFigures]


async def see_board(request: Request) -> Response:
    """Who still waits for a first opinion comes first; without cases that she was put out of."""
    lounge, doctor_id = await _admitted(request)
    wanted = Wanted(
        _one_of(request, "phase", get_args(Phase)),
        _one_of(request, "urgency", get_args(Urgency)),
        _one_of(request, "specialty", tuple(lounge.rooms.specialties)),
        request.query_params.get("mine", "") not in ("", "0"),
        _limit(request),
    )
    lines = await lounge.board.lines(doctor_id, wanted)
    usual = _usual(await lounge.board.timed(), lounge.board.now())
    listed = [each for each in lines if _may_enter(lounge, doctor_id, each.consult.slug)]
    return answer(BoardList([_line(each) for each in listed], usual))


async def see_figures(request: Request) -> Response:
    """Time to the first opinion, by hour and by day."""
    lounge, _ = await _admitted(request)
    timed = await lounge.board.timed()
    hours, days = first_opinions.by_hour(timed), first_opinions.by_day(timed)
    return answer(
        Figures(
            **_told(first_opinions.wait(timed)),
            days=DAYS,
            by_hour=[HourFigures(hour=each, **_told(of)) for each, of in hours.items()],
            by_day=[DayFigures(day=each, **_told(of)) for each, of in days.items()],
        )
    )


async def _admitted(request: Request) -> tuple[Lounge, str]:
    lounge: Lounge = request.state.lounge
    visit = await require_visit(request)
    policy.require_open(visit.doctor)
    lounge.limits.spend(READS, visit.doctor.id)
    return lounge, visit.doctor.id


def _may_enter(lounge: Lounge, doctor_id: str, room: str) -> bool:
    try:
        lounge.sanctions.may_enter(doctor_id, room)
    except Refusal:
        return False
    return True


def _one_of(request: Request, name: str, known: Sequence[str]) -> str | None:
    value = request.query_params.get(name) or None
    if value is not None and value not in known:
        raise Refusal(Code.INVALID, "refusal.filter", field=name)
    return value


def _limit(request: Request) -> int:
    value = request.query_params.get("limit") or str(MOST_LISTED)
    if not value.isdecimal() or not 1 <= int(value[:9]) <= MOST_LISTED:
        raise Refusal(Code.INVALID, "refusal.filter", field="limit")
    return int(value)


def _line(each: Line) -> BoardLine:
    consult = each.consult
    return BoardLine(
        id=consult.slug,
        urgency=consult.urgency,  # type: ignore[arg-type]
        specialties=list(consult.specialties),
        phase=consult.state,  # type: ignore[arg-type]
        opinions=consult.told,
        looking=each.looking,
        opened=rfc3339(consult.opened),
        closes=rfc3339(consult.closes or consult.opened),
        by=each.by,
        mine=each.mine,
        waiting_since=rfc3339(consult.opened),
        question=consult.question or UNSET,
        withdrawn=consult.withdrawn or UNSET,
    )


def _usual(timed: Sequence[Timed], now: int) -> UsualWait:
    this_hour = [
        each for each in timed if first_opinions.hour(each.opened) == first_opinions.hour(now)
    ]
    told = WaitFigures(**_told(first_opinions.wait(this_hour))) if this_hour else UNSET
    return UsualWait(**_told(first_opinions.wait(timed)), this_hour=told)


def _told(of: Wait) -> dict[str, Any]:
    figures: dict[str, Any] = {"n": of.n, "unanswered": of.unanswered}
    if of.median_s is None or of.p90_s is None:
        return figures
    return {**figures, "median_s": of.median_s, "p90_s": of.p90_s}


routes = [
    Route("/api/consults", see_board, methods=["GET"]),
    Route("/api/consults/figures", see_figures, methods=["GET"]),
]

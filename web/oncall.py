"""Roles on call over HTTP: the list with its numbers, a role's rota for its own, changes, one's calendar."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge import policy
from lounge.clock import now_ms
from lounge.credentials.reviews import require_registrar
from lounge.doctors import Doctor, Unrecognised
from lounge.errors import Code, Refusal
from lounge.events import Time, rfc3339
from lounge.limits import CHANGES, MEMBERS, READS
from lounge.oncall import calendar
from lounge.oncall.changes import ASKED, Change, ChangeKind, Wish
from lounge.oncall.keeping import Kept, NewRole
from lounge.oncall.listing import Line, LoadWord, Sheet
from lounge.oncall.policy import Policy
from lounge.oncall.roles import Night, renamed
from lounge.oncall.rosters import Roster, Rosters, Standing, is_registrar
from lounge.oncall.rota import Gap, Overlap, Rota, Shift
from lounge.opening import Lounge
from web import api
from web.accounts import Email, answer, nothing, path_id, read_body
from web.visitor import require_act, require_visit

LONGEST_ROTA_BYTES = 256 * 1024
_REALM = 'Basic realm="rota", charset="UTF-8"'

_Id = Annotated[str, Meta(max_length=40)]
_Layer = Annotated[str, Meta(max_length=40)]
_Moment = Annotated[datetime, Meta(tz=True)]


class RoleLine(Struct, frozen=True, kw_only=True):
    """A role on call. `until`: when somebody next comes or goes; `next`: when somebody is on again.

    `load` and `reachable` are of those who have it now. `mine`: what one is to it, if anything.
    """

    id: str
    service: str
    name: str
    specialty: str
    zone: str
    number: str
    covered: bool
    load: LoadWord
    reachable: bool
    may_page: bool
    mine: Standing | None
    until: Time | UnsetType = UNSET
    next: Time | UnsetType = UNSET


class RoleList(Struct, frozen=True):
    roles: list[RoleLine]


class RoleMember(Struct, frozen=True):
    """`id` is good in this role alone."""

    id: str
    name: str
    reachable: bool


class RoleShift(Struct, frozen=True):
    layer: str
    starts: Time
    ends: Time
    doctors: list[str]
    why: str


class RoleGap(Struct, frozen=True):
    """Where nobody is on; or `doctors` are, whom nothing reaches. An overlap has the same fields."""

    layer: str
    starts: Time
    ends: Time
    doctors: list[str]


class RoleChange(Struct, frozen=True):
    """Where the rota does not hold. `mine`: whether it waits for one's own word, or is one's own to end."""

    id: str
    kind: ChangeKind
    starts: Time
    ends: Time
    state: str
    mine: Literal["answer", "end"] | None
    layer: str | UnsetType = UNSET
    doctor: str | UnsetType = UNSET
    instead_of: str | UnsetType = UNSET


class RoleSheet(RoleLine, frozen=True, kw_only=True):
    """A role; from `version` on only for its keeper and members. `you`: one's own id among them.

    Registrars read the `version` as well, so that they can give it another keeper.
    """

    version: int | UnsetType = UNSET
    you: str | UnsetType = UNSET
    keeper: str | UnsetType = UNSET
    rota: Rota | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET
    night: Night | UnsetType = UNSET
    rule: str | UnsetType | None = UNSET
    members: list[RoleMember] | UnsetType = UNSET
    shifts: list[RoleShift] | UnsetType = UNSET
    gaps: list[RoleGap] | UnsetType = UNSET
    overlaps: list[RoleGap] | UnsetType = UNSET
    changes: list[RoleChange] | UnsetType = UNSET


class RoleMade(Struct, frozen=True):
    id: str


class MemberAct(Struct, frozen=True):
    """One of: `email`, the keeper asks whoever has it; `agrees`, the answer of one who was asked, or a
    member's who leaves; `drop`, the keeper takes a member off.
    """

    email: Email | None = None
    agrees: bool | None = None
    drop: _Id | None = None


class NewChange(Struct, frozen=True):
    """`starts` left out: from now on. `layer` left out: the first. `doctor` is on instead of `instead_of`."""

    kind: ChangeKind
    ends: _Moment
    starts: _Moment | None = None
    layer: _Layer | None = None
    doctor: _Id | None = None
    instead_of: _Id | None = None


class ChangeMade(Struct, frozen=True):
    """`reachable`: whether something reaches whoever is on by it; missing for a vacation."""

    id: str
    state: str
    reachable: bool | UnsetType = UNSET


class ChangeAnswer(Struct, frozen=True):
    answer: Literal["agree", "decline", "withdraw"]


class FeedMade(Struct, frozen=True):
    """`password` is shown this once; the calendar's address has nothing secret in it."""

    address: str
    user: str
    password: str


# -- roles ---------------------------------------------------------------------------------------


async def list_roles(request: Request) -> Response:
    lounge, doctor = await _admitted(request)
    return answer(
        RoleList([RoleLine(**_told(each)) for each in await lounge.oncall.listing.lines(doctor)])
    )


async def make_role(request: Request) -> Response:
    """By a registrar."""
    lounge, doctor = await _acting(request)
    require_registrar(doctor)
    body = await read_body(request, NewRole)
    return answer(RoleMade(await lounge.oncall.keeping.add(body, by=doctor.id)), 201)


async def see_role(request: Request) -> Response:
    """Its own see who is on when; everybody else, what a list says of it."""
    lounge, doctor = await _admitted(request)
    listing, role_id = lounge.oncall.listing, path_id(request)
    sheet = await listing.sheet(doctor, role_id)
    if sheet is None:
        line = await listing.line(doctor, role_id)
        version = line.role.version if is_registrar(doctor) else UNSET
        return answer(RoleSheet(**_told(line), version=version))
    return answer(_sheet(doctor, sheet, lounge.oncall.rosters))


async def change_role(request: Request) -> Response:
    lounge, doctor = await _acting(request)
    body = await read_body(request, Kept, LONGEST_ROTA_BYTES)
    await lounge.oncall.keeping.change(doctor, path_id(request), body)
    return nothing()


async def change_members(request: Request) -> Response:
    """The answer to `email` is the same whoever is known."""
    lounge, doctor = await _acting(request)
    body, role_id = await read_body(request, MemberAct), path_id(request)
    members = lounge.oncall.members
    if [body.email, body.agrees, body.drop].count(None) != 2:
        raise Refusal(Code.INVALID, "request.invalid")
    if body.email is not None:
        lounge.limits.spend(MEMBERS, doctor.id)
        await members.ask(doctor, role_id, body.email)
    elif body.agrees is not None:
        await members.answer(doctor, role_id, agrees=body.agrees)
    elif body.drop is not None:
        await members.drop(doctor, role_id, body.drop)
    return nothing()


# -- changes of who is on ------------------------------------------------------------------------


async def make_change(request: Request) -> Response:
    lounge, doctor = await _acting(request)
    body, role_id = await read_body(request, NewChange), path_id(request)
    rosters = lounge.oncall.rosters
    roster = await rosters.of(role_id)
    if roster.standing(doctor.id) not in ("keeper", "member"):
        raise Refusal(Code.FORBIDDEN, "refusal.not_member")
    wish = _wish(body, roster, rosters)
    made = await lounge.oncall.changes.make(doctor, role_id, wish)
    reached = await lounge.oncall.reach.working([made.doctor]) if made.doctor else ()
    reachable = UNSET if made.doctor is None else made.doctor in reached
    return answer(ChangeMade(made.id, made.state, reachable), 201)


async def answer_change(request: Request) -> Response:
    lounge, doctor = await _acting(request)
    body = await read_body(request, ChangeAnswer)
    asked = doctor, path_id(request), path_id(request, "change")
    changes = lounge.oncall.changes
    if body.answer == "withdraw":
        await changes.withdraw(*asked)
    else:
        await changes.answer(*asked, agrees=body.answer == "agree")
    return nothing()


# -- one's own shifts in a calendar --------------------------------------------------------------


async def make_feed(request: Request) -> Response:
    """Another password for one's own feed; the one before it opens nothing more."""
    lounge, doctor = await _acting(request)
    password = await lounge.oncall.feeds.make(doctor.id)
    return answer(FeedMade("/api/rota.ics", "rota", password), 201)


async def see_feed(request: Request) -> Response:
    """As iCalendar, for a program that has the feed's password and nothing else."""
    lounge: Lounge = request.state.lounge
    found = await lounge.oncall.feeds.whose(_basic_password(request))
    if found is None:
        refused = await api.refused(request, Unrecognised())
        refused.headers["www-authenticate"] = _REALM
        return refused
    doctor_id, language = found
    lounge.limits.spend(READS, doctor_id)
    shifts = await lounge.oncall.feeds.shifts(doctor_id)
    content = calendar.feed(shifts, language, now_ms())
    return Response(content, headers={"cache-control": "no-store"}, media_type=calendar.MEDIA_TYPE)


routes = [
    Route("/api/roles", list_roles, methods=["GET"]),
    Route("/api/roles", make_role, methods=["POST"]),
    Route("/api/roles/{id}", see_role, methods=["GET"]),
    Route("/api/roles/{id}", change_role, methods=["PUT"]),
    Route("/api/roles/{id}/members", change_members, methods=["POST"]),
    Route("/api/roles/{id}/changes", make_change, methods=["POST"]),
    Route("/api/roles/{id}/changes/{change}", answer_change, methods=["POST"]),
    Route("/api/rota/feed", make_feed, methods=["POST"]),
    Route("/api/rota.ics", see_feed, methods=["GET"]),
]


# -- privates ------------------------------------------------------------------------------------


async def _admitted(request: Request) -> tuple[Lounge, Doctor]:
    lounge: Lounge = request.state.lounge
    visit = await require_visit(request)
    policy.require_open(visit.doctor)
    lounge.limits.spend(READS, visit.doctor.id)
    return lounge, visit.doctor


async def _acting(request: Request) -> tuple[Lounge, Doctor]:
    lounge: Lounge = request.state.lounge
    visit = await require_act(request)
    policy.require_open(visit.doctor)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    return lounge, visit.doctor


def _told(line: Line) -> dict[str, Any]:
    """The fields of a line."""
    role, duty = line.role, line.duty
    return {
        "id": role.id,
        "service": role.service,
        "name": role.name,
        "specialty": role.specialty,
        "zone": role.zone,
        "number": role.number,
        "covered": duty.is_covered,
        "load": line.load,
        "reachable": line.reachable,
        "may_page": line.may_page,
        "mine": line.standing,
        "until": _time(duty.until),
        "next": _time(duty.next),
    }


def _sheet(doctor: Doctor, sheet: Sheet, rosters: Rosters) -> RoleSheet:
    role, roster = sheet.line.role, sheet.roster

    def named(doctor_id: str) -> str:
        return rosters.member_id(role.id, doctor_id)

    return RoleSheet(
        **_told(sheet.line),
        version=role.version,
        you=named(doctor.id) if roster.is_member(doctor.id) else UNSET,
        keeper=named(role.keeper) if role.keeper and roster.is_member(role.keeper) else UNSET,
        rota=renamed(role.rota, named),
        policy=role.policy,
        night=role.night,
        rule=role.rule,
        members=[
            RoleMember(named(each.doctor), each.name, each.doctor in sheet.working)
            for each in roster.members
            if each.since is not None
        ],
        shifts=[
            RoleShift(*_span(each), [named(on) for on in each.doctors], each.why)
            for each in sheet.shifts
        ],
        gaps=[RoleGap(*_span(each), [named(on) for on in each.doctors]) for each in sheet.gaps],
        overlaps=[
            RoleGap(*_span(each), [named(on) for on in each.doctors]) for each in sheet.overlaps
        ],
        changes=[_change(each, doctor.id, roster, named) for each in sheet.changes],
    )


def _span(each: Shift | Gap | Overlap) -> tuple[str, str, str]:
    return each.layer, rfc3339(each.starts), rfc3339(each.ends)


def _change(
    each: Change, doctor_id: str, roster: Roster, named: Callable[[str], str]
) -> RoleChange:
    return RoleChange(
        id=each.id,
        kind=each.kind,  # type: ignore[arg-type]
        starts=rfc3339(each.starts),
        ends=rfc3339(each.ends),
        state=each.state,
        mine=_hers(each, doctor_id, roster),
        layer=each.layer or UNSET,
        doctor=UNSET if each.doctor is None else named(each.doctor),
        instead_of=UNSET if each.instead_of is None else named(each.instead_of),
    )


def _hers(each: Change, doctor_id: str, roster: Roster) -> Literal["answer", "end"] | None:
    if each.by == doctor_id:
        return "end"
    if each.state == ASKED and doctor_id in (each.doctor, each.instead_of):
        return "answer"
    return "end" if roster.is_keeper(doctor_id) else None


def _wish(body: NewChange, roster: Roster, rosters: Rosters) -> Wish:
    doctor, instead_of = (
        None if each is None else rosters.doctor_of(roster, each)
        for each in (body.doctor, body.instead_of)
    )
    starts = 0 if body.starts is None else _ms(body.starts)
    return Wish(body.kind, starts, _ms(body.ends), body.layer, doctor, instead_of)


def _basic_password(request: Request) -> str:
    """What HTTP Basic carries as password; whatever the user is called. Empty where there is none."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        told = base64.b64decode(given.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return told.partition(":")[2] if scheme.lower() == "basic" else ""


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _time(at: int | None) -> str | UnsetType:
    return UNSET if at is None else rfc3339(at)

"""How one is reached, over HTTP: the ways, their test alerts; and what a gateway tells."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge import policy
from lounge.errors import Code, Refusal
from lounge.events import Time, rfc3339
from lounge.limits import CHANGES, CONFIRMS, READS, TESTS
from lounge.oncall.calls import Address, ReachKind
from lounge.oncall.reach import Way
from lounge.opening import Lounge
from web.accounts import (
    LONGEST_BODY_BYTES,
    answer,
    label_of,
    nothing,
    path_id,
    read_body,
    read_bytes,
)
from web.visitor import require_act, require_visit

_KeyText = Annotated[str, Meta(max_length=200)]


class PushKeys(Struct, frozen=True):
    """As a browser's own subscription names them."""

    p256dh: _KeyText
    auth: _KeyText


class NewReach(Struct, frozen=True):
    """`address`: a push service's, a telephone number, or an open page's own name; by e-mail none."""

    kind: ReachKind
    address: Annotated[str, Meta(max_length=2048)] = ""
    keys: PushKeys | None = None
    label: Annotated[str, Meta(max_length=60)] = ""


class ReachCode(Struct, frozen=True):
    """What the test alert said."""

    code: Annotated[str, Meta(pattern=r"^\d{6}$", max_length=6)]


class ReachLine(Struct, frozen=True):
    """One way to oneself; `label` is hers, of a number its last digits. `works`: it counts."""

    id: str
    kind: ReachKind
    label: str
    works: bool
    confirmed: Time | UnsetType = UNSET
    failed: Time | UnsetType = UNSET
    used: Time | UnsetType = UNSET


class ReachList(Struct, frozen=True):
    """`offered`: the kinds that this house has. `reachable`: something works."""

    reaches: list[ReachLine]
    offered: list[ReachKind]
    reachable: bool


class PushKey(Struct, frozen=True):
    """What a browser subscribes with, in base64url."""

    key: str


class GatewayTold(Struct, frozen=True):
    """`duplicate`: it was so before."""

    duplicate: Literal[True] | UnsetType = UNSET


async def see_reaches(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_visit(request)
    lounge.limits.spend(READS, visit.doctor.id)
    ways = await lounge.oncall.reach.of(visit.doctor.id)
    lines = [_line(way) for way in ways]
    offered = list(lounge.oncall.reach.offered)
    return answer(ReachList(lines, offered, any(line.works for line in lines)))


async def see_push_key(request: Request) -> Response:
    await require_visit(request)
    return answer(PushKey(_lounge(request).oncall.reach.push_key))


async def add_reach(request: Request) -> Response:
    """Known by its address: adding it again renews it, as an open page does every minute."""
    lounge, visit = _lounge(request), await require_act(request)
    policy.require_open(visit.doctor)
    lounge.limits.spend(CHANGES, visit.doctor.id)
    body = await read_body(request, NewReach)
    keys = body.keys or PushKeys("", "")
    label = body.label or (label_of(request) if body.kind in ("open", "push") else "")
    address = Address(body.address, keys.p256dh, keys.auth, label)
    return answer(_line(await lounge.oncall.reach.add(visit.doctor, body.kind, address)), 201)


async def drop_reach(request: Request) -> Response:
    lounge, visit = _lounge(request), await require_act(request)
    await lounge.oncall.reach.drop(visit.doctor.id, path_id(request))
    return nothing()


async def try_reach(request: Request) -> Response:
    """A test alert is on its way."""
    lounge, visit = _lounge(request), await require_act(request)
    policy.require_open(visit.doctor)
    lounge.limits.spend(TESTS, visit.doctor.id)
    await lounge.oncall.reach.try_out(visit.doctor.id, path_id(request))
    return nothing()


async def confirm_reach(request: Request) -> Response:
    """It has arrived."""
    lounge, visit = _lounge(request), await require_act(request)
    lounge.limits.spend(CONFIRMS, visit.doctor.id)
    body = await read_body(request, ReachCode)
    return answer(
        _line(await lounge.oncall.reach.confirm(visit.doctor.id, path_id(request), body.code))
    )


async def hear_gateway(request: Request) -> Response:
    """From a gateway, by its signature alone: there is nobody signed in."""
    oncall = _lounge(request).oncall
    if not oncall.gateway.is_set:
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_page")
    told = oncall.gateway.believed(
        await read_bytes(request, LONGEST_BODY_BYTES), dict(request.headers)
    )
    was_so = await oncall.answers.take(told)
    return answer(GatewayTold(True if was_so else UNSET))


routes = [
    Route("/api/reach", see_reaches, methods=["GET"]),
    Route("/api/reach", add_reach, methods=["POST"]),
    Route("/api/reach/push-key", see_push_key, methods=["GET"]),
    Route("/api/reach/{id}", drop_reach, methods=["DELETE"]),
    Route("/api/reach/{id}/test", try_reach, methods=["POST"]),
    Route("/api/reach/{id}/confirm", confirm_reach, methods=["POST"]),
    Route("/api/gateway", hear_gateway, methods=["POST"]),
]


def _line(way: Way) -> ReachLine:
    row = way.row
    return ReachLine(
        id=row.id,
        kind=row.kind,  # type: ignore[arg-type]
        label=way.hint,
        works=way.works,
        confirmed=_stamp(row.confirmed),
        failed=_stamp(row.failed),
        used=_stamp(row.used),
    )


def _stamp(at: int | None) -> Time | UnsetType:
    return UNSET if at is None else rfc3339(at)


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge

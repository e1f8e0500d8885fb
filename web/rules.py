"""Rules before posting, and texts that they hold, over HTTP: for moderators of all rooms."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.events import Count, Time, rfc3339
from lounge.limits import CHANGES, READS, REHEARSALS
from lounge.moderating.asked import Reason
from lounge.moderating.desk import Moderating
from lounge.moderating.rehearsal import Stretch
from lounge.moderating.rules import Rule
from lounge.moderating.ruling import Kept, must_rule
from lounge.moderating.waiting import Line
from lounge.opening import Lounge
from web import wire
from web.accounts import answer, nothing, path_id, read_body
from web.visitor import require_act, require_visit

LONGEST_BODY_BYTES = 64 * 1024


class RuleLine(Struct, frozen=True):
    """A rule in force; `at`: when it was last changed. Whoever changes it names the `version` she saw."""

    id: str
    version: Count
    at: Time
    rule: Rule


class RuleList(Struct, frozen=True):
    rules: list[RuleLine]


class NewRule(Rule, frozen=True):
    """POST /api/rules."""


class ChangedRule(Struct, frozen=True):
    """PUT /api/rules/{id}. Somebody else's change in between: 409 `refusal.rule_changed`."""

    version: Annotated[int, Meta(ge=1, le=2**31)]
    rule: Rule


class DryRun(Struct, frozen=True):
    """POST /api/rules/dry-run: a stretch of last week's log; ask again with `cursor` until it is missing."""

    rule: Rule
    cursor: Annotated[str, Meta(max_length=64)] | None = None


class RoomCount(Struct, frozen=True):
    room: wire.RoomId
    count: Count


class Sample(Struct, frozen=True):
    """An entry that the rule would have met, as it stands now."""

    room: wire.RoomId
    seq: Count
    at: Time
    text: str


class DryRunPart(Struct, frozen=True):
    """Of this stretch: says looked at and met, by room, and samples (add them up; at most 20 are shown).

    `done` of `of` is how far it has come in all.
    """

    seen: Count
    met: Count
    rooms: list[RoomCount]
    samples: list[Sample]
    done: Count
    of: Count
    cursor: str | UnsetType = UNSET


class WaitingLine(Struct, frozen=True):
    """A text that a rule holds: without the text, which only who claims it is told.

    `rule`: what the rule is called, or was.
    """

    id: str
    room: wire.RoomId
    rule: str
    reason: Reason
    at: Time
    claimed: Literal["mine", "other"] | None = None
    claimed_until: Time | UnsetType = UNSET


class WaitingList(Struct, frozen=True):
    waiting: list[WaitingLine]


class WaitingText(Struct, frozen=True):
    """POST /api/waiting/{id}/claim: yours for 15 minutes, renewed by claiming again."""

    text: str
    claimed_until: Time
    reply_to: Count | UnsetType = UNSET


class Judged(Struct, frozen=True):
    """POST /api/waiting/{id}/close, by who claimed it: posted as its author's, or not and never kept."""

    outcome: Literal["released", "refused"]
    reason: Reason | None = None


async def list_rules(request: Request) -> Response:
    visit = await require_visit(request)
    _lounge(request).limits.spend(READS, visit.doctor.id)
    must_rule(visit.doctor)
    return answer(RuleList([_rule_line(each) for each in _part(request).ruling.kept]))


async def add_rule(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(CHANGES, visit.doctor.id)
    body = await read_body(request, NewRule, LONGEST_BODY_BYTES)
    return answer(_rule_line(await _part(request).ruling.add(visit.doctor, body)), 201)


async def change_rule(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(CHANGES, visit.doctor.id)
    body, id = await read_body(request, ChangedRule, LONGEST_BODY_BYTES), path_id(request)
    kept = await _part(request).ruling.change(visit.doctor, id, body.version, body.rule)
    return answer(_rule_line(kept))


async def drop_rule(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(CHANGES, visit.doctor.id)
    await _part(request).ruling.drop(visit.doctor, path_id(request))
    return nothing()


async def run_dry(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(REHEARSALS, visit.doctor.id)
    body = await read_body(request, DryRun, LONGEST_BODY_BYTES)
    stretch = await _part(request).rehearsal.run(visit.doctor, body.rule, body.cursor)
    return answer(_part_of(stretch))


async def list_waiting(request: Request) -> Response:
    visit = await require_visit(request)
    _lounge(request).limits.spend(READS, visit.doctor.id)
    lines = await _part(request).waiting.lines(visit.doctor)
    return answer(WaitingList([_waiting_line(each) for each in lines]))


async def claim_waiting(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(CHANGES, visit.doctor.id)
    held, until = await _part(request).waiting.claim(visit.doctor, path_id(request))
    reply_to: Any = UNSET if held.reply_to is None else held.reply_to
    return answer(WaitingText(held.text, rfc3339(until), reply_to))


async def release_waiting(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(CHANGES, visit.doctor.id)
    await _part(request).waiting.release(visit.doctor, path_id(request))
    return nothing()


async def close_waiting(request: Request) -> Response:
    visit = await require_act(request)
    _lounge(request).limits.spend(CHANGES, visit.doctor.id)
    body, id = await read_body(request, Judged), path_id(request)
    await _part(request).waiting.close(visit.doctor, id, body.outcome, body.reason)
    return nothing()


def _rule_line(kept: Kept) -> RuleLine:
    return RuleLine(kept.id, kept.version, rfc3339(kept.at), kept.rule)


def _part_of(stretch: Stretch) -> DryRunPart:
    return DryRunPart(
        seen=stretch.seen,
        met=stretch.rooms.total(),
        rooms=[RoomCount(room, count) for room, count in stretch.rooms.most_common() if count],
        samples=[
            Sample(each.room, each.seq, rfc3339(each.at), each.text) for each in stretch.samples
        ],
        done=stretch.done,
        of=stretch.of,
        cursor=UNSET if stretch.cursor is None else stretch.cursor,
    )


def _waiting_line(each: Line) -> WaitingLine:
    return WaitingLine(
        id=each.id,
        room=each.room,
        rule=each.rule,
        reason=each.reason,
        at=rfc3339(each.at),
        claimed=each.claimed,
        claimed_until=UNSET if each.claimed_until is None else rfc3339(each.claimed_until),
    )


def _part(request: Request) -> Moderating:
    return _lounge(request).moderating


def _lounge(request: Request) -> Lounge:
    lounge: Lounge = request.state.lounge
    return lounge


routes = [
    Route("/api/rules", list_rules, methods=["GET"]),
    Route("/api/rules", add_rule, methods=["POST"]),
    Route("/api/rules/dry-run", run_dry, methods=["POST"]),
    Route("/api/rules/{id}", change_rule, methods=["PUT"]),
    Route("/api/rules/{id}", drop_rule, methods=["DELETE"]),
    Route("/api/waiting", list_waiting, methods=["GET"]),
    Route("/api/waiting/{id}/claim", claim_waiting, methods=["POST"]),
    Route("/api/waiting/{id}/release", release_waiting, methods=["POST"]),
    Route("/api/waiting/{id}/close", close_waiting, methods=["POST"]),
]

"""The board of moderators: its lines as the wire has them, and over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lounge.events import rfc3339
from lounge.limits import READS
from lounge.moderating.board import Lines
from lounge.moderating.hour import MINUTES
from lounge.moderating.lines import Line, Open
from lounge.opening import Lounge
from lounge.titles import Title
from web import wire
from web.accounts import answer
from web.visitor import require_visit
from web.wire import BoardNews, BoardReports, BoardRoom


class BoardRooms(Struct, frozen=True):
    """Every room that she moderates, the one that most wants eyes first."""

    rooms: list[BoardRoom]


async def board(request: Request) -> Response:
    """What the wire's `board` answers, once."""
    visit = await require_visit(request)
    lounge: Lounge = request.state.lounge
    lounge.limits.spend(READS, visit.doctor.id)
    return answer(BoardRooms(whole(await lounge.moderating.board.lines(visit.doctor))))


def whole(lines: Lines) -> list[BoardRoom]:
    """All of it."""
    return [_room(line) for line in lines.values()]


def news(lines: Lines, was: Lines) -> BoardNews | None:
    """What changed since; None when nothing did."""
    if lines is was:
        return None
    changed = [
        _change(line, was[room]) if room in was else _room(line)
        for room, line in lines.items()
        if was.get(room) is not line
    ]
    gone = [room for room in was if room not in lines]
    if not (changed or gone):
        return None
    return BoardNews(rooms=changed, gone=gone or UNSET)


def _change(line: Line, was: Line) -> BoardRoom:
    """What is another; of the counts by the minute all, where one of those that are over is."""
    changed: dict[str, Any] = {
        name: value if kept is None else kept(value)
        for name, kept in _FIELDS.items()
        if (value := getattr(line, name)) != getattr(was, name)
    }
    if line.past != was.past:
        changed["says"] = _says(line)
    elif line.now != was.now:
        changed["now"] = line.now
    return BoardRoom(room=line.room, **changed)


def _room(line: Line) -> BoardRoom:
    """All of it."""
    told: dict[str, Any] = {
        name: getattr(line, name) if kept is None else kept(getattr(line, name))
        for name, kept in _FIELDS.items()
    }
    return BoardRoom(room=line.room, says=_says(line), **told)


def _says(line: Line) -> list[int]:
    if not line.past and not line.now:
        return []
    return [*(line.past or (0,) * (MINUTES - 1)), line.now]


def _title(title: Title) -> wire.TitleAnswer:
    return wire.TitleAnswer(title.en, title.fr)


def _reports(reports: Open) -> BoardReports:
    oldest = UNSET if reports.oldest is None else rfc3339(reports.oldest)
    return BoardReports(reports.open, reports.urgent, oldest)


_FIELDS: dict[str, Callable[[Any], object] | None] = {
    **dict.fromkeys(("kind", "present", "waiting", "held", "waived"), None),
    **dict.fromkeys(("holds", "hidden_pending", "mode", "needs"), None),
    "title": _title,
    "reports": _reports,
}
"""A line's, each with what makes it the wire's."""

routes = [Route("/api/board", board, methods=["GET"])]

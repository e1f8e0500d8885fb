"""The wire, version 1: every command a client may send and every frame that answers it, typed.

The schemas under /api/asyncapi.json and /api/openapi.json are made from these types.
"""

from __future__ import annotations

import time
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lounge.attendance import RoomStanding
from lounge.events import By, Mode, Present, Seq, Time, rfc3339
from lounge.search import Found

JSON = "lounge.v1.json"
MSGPACK = "lounge.v1.msgpack"
HEARTBEAT_SECONDS = 20

Ref = Annotated[int, Meta(ge=-(2**53), le=2**53)] | Annotated[str, Meta(max_length=64)]
RoomId = Annotated[str, Meta(min_length=1, max_length=128)]
Cid = Annotated[str, Meta(min_length=16, max_length=64, description="The client's own, random.")]
Target = Annotated[int, Meta(ge=1, le=2**53)]
Position = Annotated[int, Meta(ge=0, le=2**53)]
Words = Annotated[str, Meta(max_length=500)]
Reason = Annotated[str, Meta(max_length=500)]
EntryId = Annotated[str, Meta(max_length=64)]


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="op"):
    """What every command has: `op`, and a `ref` that its answer repeats."""

    ref: Ref


class Join(Command, frozen=True, kw_only=True, tag="join"):
    """Enter a room, or move the cursor in it. With `since`, resume after that seq."""

    room: RoomId
    since: Position | None = None
    last: EntryId | None = None


class Leave(Command, frozen=True, kw_only=True, tag="leave"):
    """Leave a room."""

    room: RoomId


class Say(Command, frozen=True, kw_only=True, tag="say"):
    """Speak. `ok` means committed."""

    room: RoomId
    cid: Cid
    text: str
    reply_to: Target | None = None
    face: Literal["anonymous", "screen", "named"] = msgspec.field(name="as", default="anonymous")


class Edit(Command, frozen=True, kw_only=True, tag="edit"):
    """Correct one's own say."""

    room: RoomId
    seq: Target
    cid: Cid
    text: str


class Redact(Command, frozen=True, kw_only=True, tag="redact"):
    """Take back one's own say; as a moderator hide one, with a reason."""

    room: RoomId
    seq: Target
    cid: Cid
    reason: Reason | None = None


class React(Command, frozen=True, kw_only=True, tag="react"):
    """Put (`on`) or take back a reaction."""

    room: RoomId
    seq: Target
    cid: Cid
    emoji: Annotated[str, Meta(min_length=1, max_length=16)]
    on: bool


class Report(Command, frozen=True, kw_only=True, tag="report"):
    """Ask a moderator to look at an entry."""

    room: RoomId
    seq: Target
    cid: Cid
    kind: Annotated[str, Meta(max_length=40)]
    note: Reason | None = None


class History(Command, frozen=True, kw_only=True, tag="history"):
    """Look back, or forward: one of `before`, `after` (exclusive), `around` (inclusive)."""

    room: RoomId
    before: Position | None = None
    after: Position | None = None
    around: Position | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class Read(Command, frozen=True, kw_only=True, tag="read"):
    """Everything up to `seq` was read."""

    room: RoomId
    seq: Position


class Search(Command, frozen=True, kw_only=True, tag="search"):
    """Find what was said."""

    q: Words
    room: RoomId | None = None
    limit: Annotated[int, Meta(ge=1, le=50)] = 20
    cursor: Annotated[str, Meta(max_length=200)] | None = None


class Ping(Command, frozen=True, kw_only=True, tag="ping"):
    """Is anybody there?"""


AnyCommand = Join | Leave | Say | Edit | Redact | React | Report | History | Read | Search | Ping
COMMANDS: dict[str, type[Command]] = {
    "join": Join,
    "leave": Leave,
    "say": Say,
    "edit": Edit,
    "redact": Redact,
    "react": React,
    "report": Report,
    "history": History,
    "read": Read,
    "search": Search,
    "ping": Ping,
}


# -- answers -------------------------------------------------------------------------------------


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every good answer has."""

    op: Literal["ok"] = "ok"
    ref: Ref


class Done(Answer, frozen=True, kw_only=True):
    """The answer to `leave`, `read` and `report`. `duplicate`: it was done before."""

    duplicate: Literal[True] | UnsetType = UNSET


class Joined(Answer, frozen=True, kw_only=True):
    """The answer to `join`: entries `start…head` follow, then `live`."""

    start: Seq = msgspec.field(name="from")
    head: Seq
    oldest: Seq
    you: list[By]
    mode: Mode
    present: Present


class Said(Answer, frozen=True, kw_only=True):
    """The answer to `say`: committed at this place."""

    seq: Seq
    id: str
    at: Time
    duplicate: Literal[True] | UnsetType = UNSET


class Changed(Answer, frozen=True, kw_only=True):
    """The answer to `edit`, `redact` and `react`: the seq of that entry."""

    seq: Seq
    duplicate: Literal[True] | UnsetType = UNSET


class Past(Answer, frozen=True, kw_only=True):
    """The answer to `history`; each event is one of those that the server sends by itself."""

    events: list[msgspec.Raw]
    oldest: Seq
    head: Seq
    more: Literal[True] | UnsetType = UNSET


class Stretch(msgspec.Struct, frozen=True):
    """A part of a text, in code points: [start, end)."""

    start: int
    end: int


class HitAnswer(msgspec.Struct, frozen=True):
    """An entry that was found; `marks` are the words in its snippet."""

    room: RoomId
    seq: Seq
    snippet: str
    at: Time
    by: By
    marks: list[Stretch]


def hit(found: Found) -> HitAnswer:
    """A hit as the wire has it."""
    marks = [Stretch(start, end) for start, end in found.marks]
    return HitAnswer(found.room, found.seq, found.snippet, found.at, found.by, marks)


def now() -> str:
    """The time of an answer."""
    return rfc3339(time.time_ns() // 1_000_000)


class Hits(Answer, frozen=True, kw_only=True):
    """The answer to `search`."""

    hits: list[HitAnswer]
    cursor: str | UnsetType = UNSET


class Pong(Answer, frozen=True, kw_only=True):
    """The answer to `ping`."""

    at: Time


class HeldSpan(msgspec.Struct, frozen=True):
    """What the guard holds, and why, in the session's language."""

    start: int
    end: int
    kind: str
    why: str


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a command that was declined. `ref` is null when it could not be read."""

    op: Literal["error"] = "error"
    ref: Ref | None
    code: str
    message: str
    retry_after: float | UnsetType = UNSET
    spans: list[HeldSpan] | UnsetType = UNSET


# -- what the server says by itself, beside events -----------------------------------------------


class TitleAnswer(msgspec.Struct, frozen=True):
    """A room's title in both languages."""

    en: str
    fr: str


class OwnRoom(msgspec.Struct, frozen=True):
    """One of the doctor's own rooms."""

    id: RoomId
    title: TitleAnswer
    kind: str
    head: Seq
    unread: Annotated[int, Meta(ge=0, le=100)]
    present: Present


class FrameLimits(msgspec.Struct, frozen=True):
    """`text` in code points, `frame` in bytes, `history` in entries, `inflight` in commands."""

    text: int
    frame: int
    history: int
    inflight: int


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame."""

    op: Literal["welcome"] = "welcome"
    server: str
    session: str
    heartbeat: int = HEARTBEAT_SECONDS
    limits: FrameLimits
    rooms: list[OwnRoom]


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The replay is over: what follows is new."""

    op: Literal["live"] = "live"
    room: RoomId
    head: Seq


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """The cursor does not belong to this log: forget the room and take what follows."""

    op: Literal["reset"] = "reset"
    room: RoomId
    oldest: Seq
    head: Seq
    reason: Literal["unknown_cursor", "beyond_retention"]


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """How many are here has changed."""

    op: Literal["presence"] = "presence"
    room: RoomId
    present: Present


class RoomNews(msgspec.Struct, frozen=True):
    """What changed in one of the doctor's own rooms that this socket has not joined."""

    id: RoomId
    head: Seq
    unread: Annotated[int, Meta(ge=0, le=100)]
    present: Present


def own_room(standing: RoomStanding) -> OwnRoom:
    """One of the doctor's own rooms as the welcome has it."""
    title = TitleAnswer(standing.title.en, standing.title.fr)
    return OwnRoom(
        standing.id, title, standing.kind, standing.head, standing.unread, standing.present
    )


def room_news(standing: RoomStanding) -> RoomNews:
    """What changed in it."""
    return RoomNews(standing.id, standing.head, standing.unread, standing.present)


class Rooms(msgspec.Struct, frozen=True, kw_only=True):
    """News of own rooms, at most every two seconds."""

    op: Literal["rooms"] = "rooms"
    rooms: list[RoomNews]


class Bye(msgspec.Struct, frozen=True, kw_only=True):
    """The server is about to close, with that `code`; come back after so many milliseconds."""

    op: Literal["bye"] = "bye"
    reconnect_in: int
    reason: str
    code: int | UnsetType = UNSET


Reply = Done | Joined | Said | Changed | Past | Hits | Pong | Error
Announcement = Welcome | Live | Reset | Presence | Rooms | Bye

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
from lounge.talks import Place, shown

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
PersonaId = Annotated[str, Meta(min_length=22, max_length=22)]
FaceName = Literal["anonymous", "screen", "named"]


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
    face: FaceName | None = msgspec.field(name="as", default=None)


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


class Face(Command, frozen=True, kw_only=True, tag="face"):
    """Wear this face in the room from now on. `exact`: with the whole badge, whoever shares it."""

    room: RoomId
    face: FaceName = msgspec.field(name="as")
    exact: bool | None = None


class Preview(Command, frozen=True, kw_only=True, tag="preview"):
    """What would others see? `as` absent: of the face worn here."""

    room: RoomId
    face: FaceName | None = msgspec.field(name="as", default=None)
    exact: bool | None = None


class Retire(Command, frozen=True, kw_only=True, tag="retire"):
    """Be somebody new in the room; what was said stays with who said it."""

    room: RoomId
    face: Literal["anonymous"] = msgspec.field(name="as", default="anonymous")
    cid: Cid


class Ignore(Command, frozen=True, kw_only=True, tag="ignore"):
    """Do not wish to read a persona in this room, or read it again."""

    room: RoomId
    persona: PersonaId
    on: bool


class Reveal(Command, frozen=True, kw_only=True, tag="reveal"):
    """Offer one's real name to whoever said the entry at `seq`, in one's own thread, for theirs."""

    room: RoomId
    seq: Target
    cid: Cid


class Talk(Command, frozen=True, kw_only=True, tag="talk"):
    """Ask whoever said the entry at `seq` to talk privately."""

    room: RoomId
    seq: Target
    cid: Cid


class TalkAnswer(Command, frozen=True, kw_only=True, tag="talk_answer"):
    """Accept a talk that one was asked for, or not. Not to accept what one asked for withdraws it."""

    talk: RoomId
    accept: bool
    cid: Cid


class TalkEnd(Command, frozen=True, kw_only=True, tag="talk_end"):
    """End a talk: both can read it, nobody adds to it."""

    room: RoomId
    cid: Cid


class Seen(Command, frozen=True, kw_only=True, tag="seen"):
    """In a talk: everything up to `seq` was looked at. Passed on, never kept."""

    room: RoomId
    seq: Position


class Writing(Command, frozen=True, kw_only=True, tag="writing"):
    """In a talk: one is writing, or no longer. Passed on, never kept."""

    room: RoomId
    on: bool


class Signals(Command, frozen=True, kw_only=True, tag="signals"):
    """One's own switch: off, neither "seen" nor "writing" is sent or shown in any talk."""

    on: bool


class Ping(Command, frozen=True, kw_only=True, tag="ping"):
    """Is anybody there?"""


AnyCommand = (
    Join
    | Leave
    | Say
    | Edit
    | Redact
    | React
    | Report
    | History
    | Read
    | Search
    | Face
    | Preview
    | Retire
    | Ignore
    | Reveal
    | Talk
    | TalkAnswer
    | TalkEnd
    | Seen
    | Writing
    | Signals
    | Ping
)
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
    "face": Face,
    "preview": Preview,
    "retire": Retire,
    "ignore": Ignore,
    "reveal": Reveal,
    "talk": Talk,
    "talk_answer": TalkAnswer,
    "talk_end": TalkEnd,
    "seen": Seen,
    "writing": Writing,
    "signals": Signals,
    "ping": Ping,
}


# -- answers -------------------------------------------------------------------------------------


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every good answer has."""

    op: Literal["ok"] = "ok"
    ref: Ref


class Done(Answer, frozen=True, kw_only=True):
    """The answer to `leave`, `read`, `report` and `reveal`. `duplicate`: it was done before."""

    duplicate: Literal[True] | UnsetType = UNSET


class Joined(Answer, frozen=True, kw_only=True):
    """The answer to `join`: entries `start…head` follow, then `live`."""

    start: Seq = msgspec.field(name="from")
    head: Seq
    oldest: Seq
    you: list[By]
    mode: Mode
    present: Present
    face: FaceName | UnsetType = UNSET
    exact: bool | UnsetType = UNSET
    ignored: list[str] | UnsetType = UNSET
    crowd: CrowdBand | UnsetType = UNSET
    talk: TalkPlace | UnsetType = UNSET


class CrowdBand(msgspec.Struct, frozen=True):
    """How many verified doctors the room admits; `thin`: too few to hide among."""

    members: int
    thin: bool


class Faced(Answer, frozen=True, kw_only=True):
    """The answer to `face`: as whom one speaks from now on."""

    you: list[By]
    face: FaceName
    exact: bool


class Previewed(Answer, frozen=True, kw_only=True):
    """The answer to `preview`: exactly what others would see."""

    by: By
    crowd: CrowdBand


class Retired(Answer, frozen=True, kw_only=True):
    """The answer to `retire`: one's own faces, the new one first."""

    you: list[By]


class Ignored(Answer, frozen=True, kw_only=True):
    """The answer to `ignore`: all whom one ignores in this room."""

    ignored: list[str]


class TalkPlace(msgspec.Struct, frozen=True):
    """A talk as one of its two has it: the `other`, the room they met in, whether it is over.

    `signals`: one's own switch for "seen" and "writing".
    """

    other: By
    origin: RoomId
    state: Literal["open", "closed"]
    signals: bool


def talk_place(place: Place, signals: bool) -> TalkPlace:
    """A talk as the wire has it."""
    state: Literal["open", "closed"] = "closed" if place.is_over else "open"
    return TalkPlace(shown(place.other), place.talk.origin, state, signals)


class Asked(Answer, frozen=True, kw_only=True):
    """The answer to `talk`: the id of its room, open once the other accepts.

    `waiting`: one asked before and has no answer yet; `talk_answer` withdraws it.
    """

    talk: RoomId
    duplicate: Literal[True] | UnsetType = UNSET
    waiting: Literal[True] | UnsetType = UNSET


class Noted(Answer, frozen=True, kw_only=True):
    """The answer to `seen`, `writing` and `signals`."""


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


class SeenBy(msgspec.Struct, frozen=True, kw_only=True):
    """In a talk: the other one has looked at everything up to `seq`."""

    op: Literal["seen"] = "seen"
    room: RoomId
    seq: Seq


class WritingBy(msgspec.Struct, frozen=True, kw_only=True):
    """In a talk: the other one is writing, or no longer. Old after eight seconds."""

    op: Literal["writing"] = "writing"
    room: RoomId
    on: bool


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


Reply = (
    Done
    | Joined
    | Said
    | Changed
    | Past
    | Hits
    | Faced
    | Previewed
    | Retired
    | Ignored
    | Asked
    | Noted
    | Pong
    | Error
)
Announcement = Welcome | Live | Reset | Presence | SeenBy | WritingBy | Rooms | Bye

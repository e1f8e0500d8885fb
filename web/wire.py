"""The wire, version 1: every command a client may send and every frame that answers it, typed.

The schemas under /api/asyncapi.json and /api/openapi.json are made from these types.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lounge.attendance import RoomStanding
from lounge.clock import now_ms
from lounge.events import (
    Age,
    By,
    Count,
    Mode,
    Opinion,
    PagePhase,
    Present,
    Seq,
    Sex,
    Sort,
    Time,
    Urgency,
    rfc3339,
)
from lounge.guard import Level, Span
from lounge.moderating.asked import Means
from lounge.moderating.asked import Reason as WhyModerated
from lounge.pool import Ballot
from lounge.search import Found
from lounge.talks import Place, shown
from lounge.words import say

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
NotPatient = Annotated[
    bool,
    Meta(description="What the guard marks softly is no patient's: her word, kept with the text."),
]
Slug = Annotated[str, Meta(min_length=1, max_length=64)]


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
    sort: Sort | None = None
    face: FaceName | None = msgspec.field(name="as", default=None)
    not_patient: NotPatient = False


class Edit(Command, frozen=True, kw_only=True, tag="edit"):
    """Correct one's own say."""

    room: RoomId
    seq: Target
    cid: Cid
    text: str
    not_patient: NotPatient = False


class Redact(Command, frozen=True, kw_only=True, tag="redact"):
    """Take back one's own say (in a consult its words stay); as a moderator hide one, with a reason."""

    room: RoomId
    seq: Target
    cid: Cid
    reason: Reason | None = None
    not_patient: NotPatient = False


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
    not_patient: NotPatient = False


class Ack(Command, frozen=True, kw_only=True, tag="ack"):
    """In a consult: one has seen the change at `seq` of something that one had read before."""

    room: RoomId
    seq: Target


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


class Opine(Command, frozen=True, kw_only=True, tag="opine"):
    """In a consult: commit what one holds for likely, the likeliest first. Sealed until the reveal."""

    room: RoomId
    ranked: Annotated[list[str], Meta(min_length=1, max_length=3)]
    why: str | None = None
    not_patient: NotPatient = False
    cid: Cid


class Unopine(Command, frozen=True, kw_only=True, tag="unopine"):
    """In a consult: take one's opinion back, until the reveal."""

    room: RoomId
    cid: Cid


class Opinions(Command, frozen=True, kw_only=True, tag="opinions"):
    """In a consult: what one may know of the sealed opinions."""

    room: RoomId


class Unseal(Command, frozen=True, kw_only=True, tag="unseal"):
    """As the author of a consult: reveal what is in, now."""

    room: RoomId
    cid: Cid


class Merge(Command, frozen=True, kw_only=True, tag="merge"):
    """As the author of a consult that is revealed: these labels of the pool are the one called `into`."""

    room: RoomId
    into: Annotated[str, Meta(min_length=1, max_length=120)]
    labels: Annotated[list[str], Meta(min_length=1, max_length=50)]
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


class Consult(Command, frozen=True, kw_only=True, tag="consult"):
    """Put a case to all verified doctors, in a room of its own; announced in those of the specialties.

    `closes_in`: minutes until the opinions are shown at the latest; `enough`: after how many they are.
    `page`: the room of one's own page that is widened by it.
    """

    question: str
    decision: str | None = None
    age: Age | None = None
    sex: Sex | None = None
    presentation: str | None = None
    findings: str | None = None
    tried: str | None = None
    urgency: Urgency = "routine"
    specialties: Annotated[list[Slug], Meta(min_length=1, max_length=5)]
    closes_in: Annotated[int, Meta(ge=5, le=10_080)] | None = None
    enough: Annotated[int, Meta(ge=3, le=50)] = 9
    face: FaceName | None = msgspec.field(name="as", default=None)
    exact: bool | None = None
    page: RoomId | None = None
    not_patient: NotPatient = False
    cid: Cid


class Looking(Command, frozen=True, kw_only=True, tag="looking"):
    """In a consult: one is looking at it, for ten minutes, or no longer."""

    room: RoomId
    on: bool


class Poll(Command, frozen=True, kw_only=True, tag="poll"):
    """Put a question with choices to the room.

    `final`: a vote is not changed; `shown`: counts are for whoever has voted, or for all once it is closed;
    `closes_in`: minutes until it ends by itself.
    """

    room: RoomId
    question: str
    choices: Annotated[list[str], Meta(min_length=2, max_length=8)]
    multiple: bool = False
    final: bool = False
    shown: Literal["voted", "closed"] = "voted"
    closes_in: Annotated[int, Meta(ge=1, le=10_080)] | None = None
    face: FaceName | None = msgspec.field(name="as", default=None)
    not_patient: NotPatient = False
    cid: Cid


class Vote(Command, frozen=True, kw_only=True, tag="vote"):
    """Choose in the poll at `seq`, by the choices' places from 0; again to change it, unless it is final."""

    room: RoomId
    seq: Target
    choices: Annotated[list[Annotated[int, Meta(ge=0, le=7)]], Meta(min_length=1, max_length=8)]
    cid: Cid


class Tally(Command, frozen=True, kw_only=True, tag="tally"):
    """How does the poll at `seq` stand, and what did one choose?"""

    room: RoomId
    seq: Target


class PollClose(Command, frozen=True, kw_only=True, tag="poll_close"):
    """End one's own poll: all see its counts, nobody votes any more."""

    room: RoomId
    seq: Target
    cid: Cid


class Decide(Command, frozen=True, kw_only=True, tag="decide"):
    """Close one's own case: what one did, and the says that helped."""

    room: RoomId
    did: str
    helped: Annotated[list[Target], Meta(max_length=50)] = []
    not_patient: NotPatient = False
    cid: Cid


class Outcome(Command, frozen=True, kw_only=True, tag="outcome"):
    """Tell how it went with one's own case; or, with `dismiss`, not to be asked for it."""

    room: RoomId
    text: str | None = None
    dismiss: bool = False
    not_patient: NotPatient = False
    cid: Cid


class Receipt(Command, frozen=True, kw_only=True, tag="receipt"):
    """Ask for a signed receipt of the say at `seq`, as the case's author or as who said it."""

    room: RoomId
    seq: Target
    cid: Cid


class Page(Command, frozen=True, kw_only=True, tag="page"):
    """Page a role on call: whoever has it now answers in a room of two. `text`: one line.

    `formal`: if it is accepted so, names and call-back numbers are exchanged between the two. `override`: why
    it cannot wait, where it would.
    """

    role: Slug
    urgency: Urgency
    text: str
    formal: bool = False
    override: Annotated[str, Meta(max_length=200)] | None = None
    not_patient: NotPatient = False
    cid: Cid


class AskNow(Command, frozen=True, kw_only=True, tag="ask_now"):
    """Ask whoever of a specialty is available now: the first to accept answers in a room of two."""

    specialty: Slug
    text: str
    not_patient: NotPatient = False
    cid: Cid


class PageAnswer(Command, frozen=True, kw_only=True, tag="page_answer"):
    """Accept what one was alerted to, or not, perhaps with a `reason`; `formal`: names are exchanged."""

    room: RoomId
    accept: bool
    formal: bool = False
    reason: Literal["busy", "not_mine", "unsafe", "other"] | None = None
    cid: Cid


class PageMark(Command, frozen=True, kw_only=True, tag="page_mark"):
    """An alert has arrived on a device, or was looked at. Neither accepts it."""

    room: RoomId
    mark: Literal["delivered", "seen"]


class PageEnd(Command, frozen=True, kw_only=True, tag="page_end"):
    """As one of its two, end a page; as its asker, also withdraw it before anybody accepts."""

    room: RoomId
    cid: Cid


class Appeal(Command, frozen=True, kw_only=True, tag="appeal"):
    """Of one's own entry that is hidden, or that one was sanctioned for: another moderator looks again.

    One need not have joined the room.
    """

    room: RoomId
    seq: Target
    text: Annotated[str, Meta(max_length=500)]
    cid: Cid
    not_patient: NotPatient = False


class Moderate(Command, frozen=True, kw_only=True, tag="moderate"):
    """As a moderator act on an entry (`seq`), its author or the room, which one need not have joined.

    `note`: what those concerned read besides the reason; `seconds`: of slow mode, 0 for none; `minutes`: how
    long a sanction holds, until it is lifted when absent; `on`: pin or freeze, or no longer.
    """

    room: RoomId
    act: Means
    seq: Target | None = None
    reason: WhyModerated | None = None
    note: Reason | None = None
    seconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    minutes: Annotated[int, Meta(ge=1, le=366 * 24 * 60)] | None = None
    everywhere: bool = False
    on: bool = True
    not_patient: bool = False
    cid: Cid


class Board(Command, frozen=True, kw_only=True, tag="board"):
    """As a moderator: show the board of rooms, and tell of what changes there (`on`), or no longer."""

    on: bool


class Examine(Command, frozen=True, kw_only=True, tag="examine"):
    """What would the guard say to this text? Nothing of it is stored, logged or passed on."""

    text: str


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
    | Ack
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
    | Consult
    | Looking
    | Decide
    | Outcome
    | Receipt
    | Opine
    | Unopine
    | Opinions
    | Unseal
    | Merge
    | Poll
    | Vote
    | Tally
    | PollClose
    | AskNow
    | Page
    | PageAnswer
    | PageMark
    | PageEnd
    | Moderate
    | Appeal
    | Board
    | Examine
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
    "ack": Ack,
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
    "consult": Consult,
    "looking": Looking,
    "decide": Decide,
    "outcome": Outcome,
    "receipt": Receipt,
    "opine": Opine,
    "unopine": Unopine,
    "opinions": Opinions,
    "unseal": Unseal,
    "merge": Merge,
    "poll": Poll,
    "vote": Vote,
    "tally": Tally,
    "poll_close": PollClose,
    "ask_now": AskNow,
    "page": Page,
    "page_answer": PageAnswer,
    "page_mark": PageMark,
    "page_end": PageEnd,
    "moderate": Moderate,
    "appeal": Appeal,
    "board": Board,
    "examine": Examine,
    "ping": Ping,
}


# -- answers -------------------------------------------------------------------------------------


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What every good answer has."""

    op: Literal["ok"] = "ok"
    ref: Ref


class Done(Answer, frozen=True, kw_only=True):
    """The answer to `leave`, `read`, `report`, `appeal` and `reveal`. `duplicate`: it was done before."""

    duplicate: Literal[True] | UnsetType = UNSET


class Joined(Answer, frozen=True, kw_only=True):
    """The answer to `join`: entries `start…head` follow, then `live`. `pins`: seqs of what is pinned."""

    start: Seq = msgspec.field(name="from")
    head: Seq
    oldest: Seq
    you: list[By]
    mode: Mode
    present: Present
    pins: list[Seq] | UnsetType = UNSET
    face: FaceName | UnsetType = UNSET
    exact: bool | UnsetType = UNSET
    ignored: list[str] | UnsetType = UNSET
    crowd: CrowdBand | UnsetType = UNSET
    talk: TalkPlace | UnsetType = UNSET
    changes: list[Changing] | UnsetType = UNSET


class Changing(msgspec.Struct, frozen=True):
    """In a consult: the say at `target`, which one has read, was changed at `seq`; to be acknowledged."""

    seq: Seq
    target: Seq


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


class Consulted(Answer, frozen=True, kw_only=True):
    """The answer to `consult`: the id of its room."""

    consult: RoomId
    duplicate: Literal[True] | UnsetType = UNSET


class Paged(Answer, frozen=True, kw_only=True):
    """The answer to `page`: its room and how it stands. `number`: whom to call instead, from now on.

    `until`: it waits so long. `next`: nobody has the role now, and then somebody does.
    """

    room: RoomId
    phase: PagePhase
    until: Time | UnsetType = UNSET
    number: str | UnsetType = UNSET
    next: Time | UnsetType = UNSET
    duplicate: Literal[True] | UnsetType = UNSET


class AskedNow(Answer, frozen=True, kw_only=True):
    """The answer to `ask_now`: its room, and whether anybody was there to be asked."""

    room: RoomId
    reached: bool
    duplicate: Literal[True] | UnsetType = UNSET


class Views(Answer, frozen=True, kw_only=True):
    """The answer to `opinions`: one's own; each by itself to the author of a *now* case; labels to type."""

    own: Opinion | UnsetType = UNSET
    opinions: list[Opinion] | UnsetType = UNSET
    suggestions: list[str] | UnsetType = UNSET


def opinion(ballot: Ballot, *, badged: bool) -> Opinion:
    """A ballot as the wire has it; `badged` for whoever is not its author."""
    badge = ballot.badge if badged else UNSET
    return Opinion(list(ballot.ranked), ballot.why or UNSET, badge)


class Noted(Answer, frozen=True, kw_only=True):
    """The answer to `seen`, `writing`, `signals`, `looking`, `ack` and `page_mark`."""


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


class Moderated(Answer, frozen=True, kw_only=True):
    """The answer to `moderate`: the seq of its entry, where there is one."""

    seq: Seq | UnsetType = UNSET
    duplicate: Literal[True] | UnsetType = UNSET


class Boarded(Answer, frozen=True, kw_only=True):
    """The answer to `board`: every room that she moderates and of which there is something to tell."""

    rooms: list[BoardRoom]


class BoardReports(msgspec.Struct, frozen=True):
    """Open reports of a room. `urgent` ones: a patient, dangerous advice, or hidden by a crowd."""

    open: Count
    urgent: Count
    oldest: Time | UnsetType = UNSET


class BoardRoom(msgspec.Struct, frozen=True, kw_only=True):
    """A room on the board. In the answer it is whole; in the op `board` only what changed is there.

    `says`: by the minute, 60 counts, the newest last, and that one still runs; [] when all are 0. In the
    op `board`, `now` alone takes the place of the last of them until a minute is over. `waiting`: open cases
    that ask the room and have no opinion yet; `held` and `waived`: texts of the last hour; `holds`: texts
    that wait for a moderator; `hidden_pending`: entries hidden by a crowd alone; `needs`: sort by it, the
    most first.
    """

    room: RoomId
    title: TitleAnswer | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    says: list[Count] | UnsetType = UNSET
    now: Count | UnsetType = UNSET
    present: Present | UnsetType = UNSET
    waiting: Count | UnsetType = UNSET
    reports: BoardReports | UnsetType = UNSET
    held: Count | UnsetType = UNSET
    waived: Count | UnsetType = UNSET
    holds: Count | UnsetType = UNSET
    hidden_pending: Count | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    needs: Count | UnsetType = UNSET


class Votes(Answer, frozen=True, kw_only=True):
    """The answer to `vote` and `tally`: one's `own` choices, and `counts` once they are shown to her."""

    votes: Count
    own: list[int] | UnsetType = UNSET
    counts: list[Count] | UnsetType = UNSET
    duplicate: Literal[True] | UnsetType = UNSET


class Concluded(Answer, frozen=True, kw_only=True):
    """The answer to `outcome`: the seq of that entry, if one was made."""

    seq: Seq | UnsetType = UNSET
    duplicate: Literal[True] | UnsetType = UNSET


class ReceiptAsked(Answer, frozen=True, kw_only=True):
    """The answer to `receipt`: whether the other side has asked for it as well."""

    ready: bool


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
    return rfc3339(now_ms())


class Hits(Answer, frozen=True, kw_only=True):
    """The answer to `search`."""

    hits: list[HitAnswer]
    cursor: str | UnsetType = UNSET


class Pong(Answer, frozen=True, kw_only=True):
    """The answer to `ping`."""

    at: Time


class HeldSpan(msgspec.Struct, frozen=True):
    """What the guard marks, and why, in the session's language.

    `hard`: never posted; `soft`: posted with `not_patient`. `instead`: what may stand there, in the text's
    language.
    """

    start: int
    end: int
    kind: str
    why: str
    level: Level
    instead: str | UnsetType = UNSET


def held(span: Span, language: str) -> HeldSpan:
    """A span as the wire has it."""
    why, instead = say(span.why, language), UNSET if span.instead is None else span.instead
    return HeldSpan(span.start, span.end, span.kind, why, span.level, instead)


class Examined(Answer, frozen=True, kw_only=True):
    """The answer to `examine`. `names_checked`: false where the text is in another language than ours."""

    spans: list[HeldSpan]
    names_checked: bool


class Error(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a command that was declined. `ref` is null when it could not be read.

    `field`: which of several texts, where one of them is why.
    """

    op: Literal["error"] = "error"
    ref: Ref | None
    code: str
    message: str
    retry_after: float | UnsetType = UNSET
    spans: list[HeldSpan] | UnsetType = UNSET
    field: str | UnsetType = UNSET


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


class BoardNews(msgspec.Struct, frozen=True, kw_only=True):
    """What changed on the board that is `on`, once a second at most; `gone` are on it no longer."""

    op: Literal["board"] = "board"
    rooms: list[BoardRoom]
    gone: list[RoomId] | UnsetType = UNSET


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
    | Moderated
    | Boarded
    | Past
    | Hits
    | Faced
    | Previewed
    | Retired
    | Ignored
    | Asked
    | Consulted
    | Concluded
    | ReceiptAsked
    | Paged
    | AskedNow
    | Views
    | Noted
    | Votes
    | Examined
    | Pong
    | Error
)
Announcement = Welcome | Live | Reset | Presence | SeenBy | WritingBy | Rooms | BoardNews | Bye

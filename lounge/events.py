"""What the lounge says: one type an event, as docs/protocol.md lists them, and how entries become them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Seq = Annotated[int, Meta(ge=0, description="Place in a room: 1, 2, 3… without holes.")]
Time = Annotated[str, Meta(description="RFC 3339, UTC.")]
Emoji = Annotated[str, Meta(min_length=1, max_length=16)]
Count = Annotated[int, Meta(ge=0)]
Urgency = Literal["routine", "today", "now"]
Phase = Literal["open", "revealed", "decided", "outcome"]
Way = Literal["page", "ask"]
"""To a role on call; or to whoever of a specialty is free."""
PagePhase = (
    Literal["waiting", "sent", "delivered", "seen", "accepted", "answered"]
    | Literal["closed", "unanswered", "withdrawn"]
)
Age = Literal["newborn", "infant", "child", "adolescent", "18-39", "40-59", "60-79", "80+"]
"""Bands: an age in years could be somebody's."""
Sex = Literal["female", "male", "other"]
Sort = Literal["warning", "question"]
"""What may be said in a consult before the reveal: do this first; or, tell me more."""


class Badge(msgspec.Struct, frozen=True, omit_defaults=True):
    """What others may know of a speaker, as codes; coarse enough that several doctors share it."""

    grade: str | UnsetType = UNSET
    specialty: str | UnsetType = UNSET
    group: str | UnsetType = UNSET
    country: str | UnsetType = UNSET
    region: str | UnsetType = UNSET


class By(msgspec.Struct, frozen=True, rename={"face": "as"}):
    """Who speaks: a persona of this room and face, never a doctor."""

    id: str
    name: str
    badge: Badge
    face: Literal["anonymous", "screen", "named"]


class Role(msgspec.Struct, frozen=True):
    """In which capacity something was redacted."""

    role: Literal["author", "moderator"]


class Office(msgspec.Struct, frozen=True):
    """In which capacity something was moderated: reports of enough doctors are the `crowd`'s."""

    role: Literal["moderator", "crowd", "house"]


class Caution(msgspec.Struct, frozen=True):
    """A say is disputed: by how many `doctors`, and what up to five of them wrote."""

    doctors: Count
    why: list[str]


class Hidden(msgspec.Struct, frozen=True):
    """Why an entry is shown to nobody. `pending`: until a moderator has looked; `by`: its author's id."""

    role: Literal["moderator", "crowd", "house"]
    reason: str
    pending: Literal[True] | UnsetType = UNSET
    by: str | UnsetType = UNSET


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    op: Literal["event"] = "event"
    room: str
    seq: Seq
    id: str
    at: Time


class Version(msgspec.Struct, frozen=True):
    """What a say in a consult read until it was corrected `at` that time."""

    at: Time
    text: str


class SayEvent(_Event, frozen=True, kw_only=True, tag="say"):
    """A message. `edited`, `reactions` and `as_of` are there when it is served as it stands at `as_of`.

    So are, in a consult, `versions`: its earlier texts, the oldest first; and `withdrawn`: the seq of that.
    """

    by: By
    text: str
    reply_to: Seq | UnsetType = UNSET
    sort: Sort | UnsetType = UNSET
    edited: Seq | UnsetType = UNSET
    versions: list[Version] | UnsetType = UNSET
    withdrawn: Seq | UnsetType = UNSET
    reactions: dict[str, int] | UnsetType = UNSET
    caution: Caution | UnsetType = UNSET
    as_of: Seq | UnsetType = UNSET


class EditEvent(_Event, frozen=True, kw_only=True, tag="edit"):
    """The say at `target` now reads `text`."""

    by: By
    target: Seq
    text: str
    as_of: Seq | UnsetType = UNSET


class WithdrawEvent(_Event, frozen=True, kw_only=True, tag="withdraw"):
    """In a consult: its author no longer stands by the say at `target`. Its words stay, struck through."""

    by: By
    target: Seq
    reason: str | UnsetType = UNSET


class RedactEvent(_Event, frozen=True, kw_only=True, tag="redact"):
    """The say at `target` is gone, and so are its edits."""

    by: Role
    target: Seq
    reason: str | UnsetType = UNSET


class ReactEvent(_Event, frozen=True, kw_only=True, tag="react"):
    """One more (`on`) or one less of `emoji` at `target`."""

    target: Seq
    emoji: Emoji
    on: bool


class TombstoneEvent(_Event, frozen=True, kw_only=True, tag="tombstone"):
    """What is left of a redacted entry, and what is served of a hidden one."""

    hidden: Hidden | UnsetType = UNSET


class ModHideEvent(_Event, frozen=True, kw_only=True, tag="mod.hide"):
    """The entry at `target` is shown to nobody from now on; `pending`: until a moderator has looked."""

    target: Seq
    by: Office
    reason: str
    pending: Literal[True] | UnsetType = UNSET


class ModRestoreEvent(_Event, frozen=True, kw_only=True, tag="mod.restore"):
    """The entry at `target` is shown again, with its edits."""

    target: Seq
    by: Office
    reason: str | UnsetType = UNSET


class ModCautionEvent(_Event, frozen=True, kw_only=True, tag="mod.caution"):
    """The entry at `target` is disputed by so many `doctors`; what up to five of them wrote."""

    target: Seq
    by: Office
    doctors: Count
    why: list[str]


class ModPinEvent(_Event, frozen=True, kw_only=True, tag="mod.pin"):
    """The entry at `target` is pinned, or no longer."""

    target: Seq
    by: Office
    on: bool


class ModCloseEvent(_Event, frozen=True, kw_only=True, tag="mod.close"):
    """A moderator has closed the thread: nothing is added after this."""

    by: Office
    reason: str


class EndEvent(_Event, frozen=True, kw_only=True, tag="end"):
    """One of its two has ended a talk: nothing is added after this."""

    by: By


class NoticeEvent(_Event, frozen=True, kw_only=True, tag="notice"):
    """A line in a doctor's own log (`me`): `notice` is a code that the client puts into words.

    Of a talk it names the room that it has or will have, and the other one; of a reveal, her `name`.
    """

    notice: str
    about: str | UnsetType = UNSET
    target: Seq | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    talk: str | UnsetType = UNSET
    by: By | UnsetType = UNSET
    starts: Time | UnsetType = UNSET
    until: Time | UnsetType = UNSET
    way: Way | UnsetType = UNSET
    role: str | UnsetType = UNSET
    service: str | UnsetType = UNSET
    specialty: str | UnsetType = UNSET
    urgency: Urgency | UnsetType = UNSET
    text: str | UnsetType = UNSET
    formal: bool | UnsetType = UNSET
    overridden: str | UnsetType = UNSET
    layer: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    own: bool | UnsetType = UNSET
    number: str | UnsetType = UNSET
    code: str | UnsetType = UNSET


class ConsultState(msgspec.Struct, frozen=True):
    """How far a consult has come, and how many opinions are in, as all are told.

    `withdrawn`: how many were taken back after they could be read.
    """

    phase: Phase
    opinions: Count
    withdrawn: Count | UnsetType = UNSET


class ConsultOpenEvent(_Event, frozen=True, kw_only=True, tag="consult.open"):
    """A case, the first entry of its own room; `state` is that of `as_of`, if it is there."""

    by: By
    question: str
    decision: str | UnsetType = UNSET
    age: Age | UnsetType = UNSET
    sex: Sex | UnsetType = UNSET
    presentation: str | UnsetType = UNSET
    findings: str | UnsetType = UNSET
    tried: str | UnsetType = UNSET
    urgency: Urgency
    specialties: list[str]
    closes: Time
    enough: int
    state: ConsultState
    as_of: Seq | UnsetType = UNSET


class ConsultCardEvent(_Event, frozen=True, kw_only=True, tag="consult.card"):
    """A case is announced in a room that it asks; `by` is who its author is in the consult."""

    by: By
    consult: str
    question: str
    urgency: Urgency
    specialties: list[str]
    closes: Time
    state: ConsultState
    as_of: Seq | UnsetType = UNSET


class Opinion(msgspec.Struct, frozen=True):
    """One doctor's ranked opinion, the likeliest first; `badge` only to who is shown each by itself."""

    ranked: list[str]
    why: str | UnsetType = UNSET
    badge: Badge | UnsetType = UNSET


class Pooled(msgspec.Struct, frozen=True):
    """A label in a pool: each opinion gives it 1/rank; how many put it first, and why they did.

    `names`: what its author has merged into it.
    """

    label: str
    weight: float
    first: Count
    whys: list[str]
    names: list[str] | UnsetType = UNSET


class Cell(msgspec.Struct, frozen=True):
    """The pool of those `n` who share a specialty, or a country. Without anybody's whys."""

    n: Count
    pool: list[Pooled]
    specialty: str | UnsetType = UNSET
    country: str | UnsetType = UNSET


class _Revealed(_Event, frozen=True, kw_only=True):
    """What the crowd thinks. `cells` where they give nobody away; `single` when too few for a pool."""

    opinions: Count
    pool: list[Pooled]
    cells: list[Cell] | UnsetType = UNSET
    single: list[Opinion] | UnsetType = UNSET


class ConsultRevealEvent(_Revealed, frozen=True, kw_only=True, tag="consult.reveal"):
    """The blind phase is over: what the ballots say. Nothing is added to them after this."""


class ConsultMergeEvent(_Revealed, frozen=True, kw_only=True, tag="consult.merge"):
    """Its author took spellings for one: the same opinions, pooled anew. It stands for all before it."""


class ConsultDecidedEvent(_Event, frozen=True, kw_only=True, tag="consult.decided"):
    """What the case's author did, and the seqs of the says that helped."""

    by: By
    text: str
    helped: list[Seq]


class ConsultOutcomeEvent(_Event, frozen=True, kw_only=True, tag="consult.outcome"):
    """How it went with the patient."""

    by: By
    text: str


class ConsultUpdateEvent(_Event, frozen=True, kw_only=True, tag="consult.update"):
    """The case, or the card of one, at `target` stands so now."""

    target: Seq
    state: ConsultState


class PollOpenEvent(_Event, frozen=True, kw_only=True, tag="poll.open"):
    """A question to the room. `shown`: counts are for whoever has `voted`, or for all once it is `closed`.

    `votes`, `counts` and `closed` (seq of that entry) are those of `as_of`, if it is there.
    """

    by: By
    question: str
    choices: list[str]
    multiple: bool
    final: bool
    shown: Literal["voted", "closed"]
    closes: Time | UnsetType = UNSET
    votes: Count | UnsetType = UNSET
    counts: list[Count] | UnsetType = UNSET
    closed: Seq | UnsetType = UNSET
    as_of: Seq | UnsetType = UNSET


class PollCountEvent(_Event, frozen=True, kw_only=True, tag="poll.count"):
    """So many have voted in the poll at `target`; whoever sees its counts may ask for them anew."""

    target: Seq
    votes: Count


class PollCloseEvent(_Event, frozen=True, kw_only=True, tag="poll.close"):
    """The poll at `target` is over; `counts` has a number for each choice."""

    target: Seq
    votes: Count
    counts: list[Count]


class PageStamps(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a page came to each phase. None of them stands for another: seen is not accepted."""

    sent: Time | UnsetType = UNSET
    delivered: Time | UnsetType = UNSET
    seen: Time | UnsetType = UNSET
    accepted: Time | UnsetType = UNSET
    answered: Time | UnsetType = UNSET
    closed: Time | UnsetType = UNSET


class PageState(msgspec.Struct, frozen=True):
    """How a page stands. `until`: it waits so long; `next`: then the next step is taken, or it runs out.

    `step` of `steps` is the last that was taken, to `layer`; once accepted, that is who accepted.
    `formal`: by its asker's consent, once accepted by both sides'. Where everyone must acknowledge,
    `acknowledged` of `wanted` have.
    """

    phase: PagePhase
    stamps: PageStamps
    formal: bool
    until: Time | UnsetType = UNSET
    next: Time | UnsetType = UNSET
    step: Count | UnsetType = UNSET
    steps: Count | UnsetType = UNSET
    layer: str | UnsetType = UNSET
    declined: Count | UnsetType = UNSET
    acknowledged: Count | UnsetType = UNSET
    wanted: Count | UnsetType = UNSET


class PageOpenEvent(_Event, frozen=True, kw_only=True, tag="page.open"):
    """What was asked, the first entry of its own room; `state` is that of `as_of`, if it is there.

    Of a page `role` is the role's id, `name` what it is called and `number` whom to call instead; of an ask
    there is the `specialty`. `overridden`: why it did not wait.
    """

    by: By
    way: Way
    text: str
    urgency: Urgency
    role: str | UnsetType = UNSET
    service: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    specialty: str | UnsetType = UNSET
    number: str | UnsetType = UNSET
    overridden: str | UnsetType = UNSET
    state: PageState
    as_of: Seq | UnsetType = UNSET


class PageUpdateEvent(_Event, frozen=True, kw_only=True, tag="page.update"):
    """The page at `target` stands so now."""

    target: Seq
    state: PageState


class PageWidenedEvent(_Event, frozen=True, kw_only=True, tag="page.widened"):
    """Its asker has put it to all: `consult` is that room."""

    consult: str


class Mode(msgspec.Struct, frozen=True):
    """`slow`: seconds between a doctor's says, 0 for none; `frozen`: reading only."""

    slow: int = 0
    frozen: bool = False


class ModModeEvent(_Event, frozen=True, kw_only=True, tag="mod.mode"):
    """The room's mode is now that."""

    mode: Mode
    by: Office
    reason: str | UnsetType = UNSET


Event = (
    SayEvent
    | EditEvent
    | WithdrawEvent
    | RedactEvent
    | ReactEvent
    | EndEvent
    | TombstoneEvent
    | NoticeEvent
    | ConsultOpenEvent
    | ConsultCardEvent
    | ConsultUpdateEvent
    | ConsultRevealEvent
    | ConsultMergeEvent
    | ConsultDecidedEvent
    | ConsultOutcomeEvent
    | PollOpenEvent
    | PollCountEvent
    | PollCloseEvent
    | PageOpenEvent
    | PageUpdateEvent
    | PageWidenedEvent
    | ModHideEvent
    | ModRestoreEvent
    | ModCautionEvent
    | ModModeEvent
    | ModPinEvent
    | ModCloseEvent
)


class Present(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many people are here, as a band."""

    min: int
    max: int | UnsetType = UNSET


def encode(event: Event) -> bytes:
    """The event's JSON, the same bytes for everyone."""
    return _ENCODER.encode(event)


def to_msgpack(payload: bytes) -> bytes:
    """The same map in msgpack, for programs that asked for it."""
    return msgspec.msgpack.encode(msgspec.json.decode(payload))


def rfc3339(at: int) -> str:
    """Milliseconds since 1970 as a time on the wire."""
    stamp = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return stamp.removesuffix("+00:00") + "Z"


def optional(value: Any) -> Any:
    """None, and empty maps, are left out on the wire."""
    return UNSET if value is None or value == {} else value


_ENCODER = msgspec.json.Encoder()

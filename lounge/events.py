"""What the lounge says: one type an event, as docs/protocol.md lists them, and how entries become them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Seq = Annotated[int, Meta(ge=0, description="Place in a room: 1, 2, 3… without holes.")]
Time = Annotated[str, Meta(description="RFC 3339, UTC.")]
Emoji = Annotated[str, Meta(min_length=1, max_length=16)]


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


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    op: Literal["event"] = "event"
    room: str
    seq: Seq
    id: str
    at: Time


class SayEvent(_Event, frozen=True, kw_only=True, tag="say"):
    """A message. `edited`, `reactions` and `as_of` are there when it is served as it stands at `as_of`."""

    by: By
    text: str
    reply_to: Seq | UnsetType = UNSET
    edited: Seq | UnsetType = UNSET
    reactions: dict[str, int] | UnsetType = UNSET
    as_of: Seq | UnsetType = UNSET


class EditEvent(_Event, frozen=True, kw_only=True, tag="edit"):
    """The say at `target` now reads `text`."""

    by: By
    target: Seq
    text: str
    as_of: Seq | UnsetType = UNSET


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
    """What is left of a redacted entry."""


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
    until: Time | UnsetType = UNSET


Event = SayEvent | EditEvent | RedactEvent | ReactEvent | EndEvent | TombstoneEvent | NoticeEvent


class Present(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many people are here, as a band."""

    min: int
    max: int | UnsetType = UNSET


class Mode(msgspec.Struct, frozen=True):
    """`slow`: seconds between a doctor's says, 0 for none; `frozen`: reading only."""

    slow: int = 0
    frozen: bool = False


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

"""How frames are read and written: JSON or msgpack on a socket, JSON in an event stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from lounge.errors import Code, Refusal
from lounge.events import to_msgpack
from web import protocol, wire


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of putting frames into bytes."""

    name: str
    encode: Callable[[Any], bytes]
    decode: Callable[[Any], wire.AnyCommand]
    plain: Callable[[Any], Any]
    event: Callable[[bytes], bytes]
    """A JSON event as this dialect encodes it, for use inside an answer."""
    frame: Callable[[bytes], bytes]
    """What was encoded, ready for the wire."""

    def framer(self, payload: bytes) -> bytes:
        """A JSON event ready for the wire."""
        return self.frame(self.event(payload))


def server_sent(payload: bytes) -> bytes:
    """One event of an event stream (WHATWG HTML, 9.2); JSON as we write it has no line break."""
    return b"data: " + payload + b"\n\n"


_JSON_DECODER = msgspec.json.Decoder(wire.AnyCommand)
_MSGPACK_DECODER = msgspec.msgpack.Decoder(wire.AnyCommand)
JSON = Dialect(
    "json",
    msgspec.json.Encoder().encode,
    _JSON_DECODER.decode,
    msgspec.json.decode,
    bytes,
    protocol.text_frame,
)
MSGPACK = Dialect(
    "msgpack",
    msgspec.msgpack.Encoder().encode,
    _MSGPACK_DECODER.decode,
    msgspec.msgpack.decode,
    to_msgpack,
    protocol.binary_frame,
)
STREAM = Dialect("stream", JSON.encode, JSON.decode, JSON.plain, JSON.event, server_sent)
FRAMERS: dict[str, Callable[[bytes], bytes]] = {
    each.name: each.framer for each in (JSON, MSGPACK, STREAM)
}

NOT_DECODED = (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError)


def diagnosis(payload: str | bytes, dialect: Dialect) -> tuple[wire.Ref | None, Refusal]:
    """Why a frame is no command: not a map, no usable ref, an unknown op, or a field that is off."""
    try:
        plain = dialect.plain(payload)
        ref = msgspec.convert(plain["ref"], wire.Ref) if isinstance(plain, dict) else None
    except (*NOT_DECODED, KeyError):
        ref = None
    if ref is None:
        return None, Refusal(Code.BAD_FRAME, "refusal.bad_frame")
    op = plain.get("op")
    if not isinstance(op, str) or op not in wire.COMMANDS:
        return ref, Refusal(Code.UNKNOWN_OP, "refusal.unknown_op")
    try:
        msgspec.convert(plain, wire.COMMANDS[op])
    except msgspec.ValidationError as error:
        # msgspec names the field and the type; it never repeats a value
        return ref, Refusal(Code.INVALID, "refusal.invalid", why=str(error))
    return ref, Refusal(Code.INVALID, "refusal.invalid", why=op)

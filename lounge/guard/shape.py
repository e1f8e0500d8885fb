"""The shape of a text, by which most of what has figures is ruled out before it is looked for."""

from __future__ import annotations

import string


def shape_of(text: str) -> bytes:
    """One byte for each code point: "0" for a digit, "A" and "a" for letters of ASCII, " " for spaces."""
    return text.encode("latin-1", "replace").translate(_TABLE)


def set_of(*lines: str) -> frozenset[str]:
    """The words of these lines."""
    return frozenset(" ".join(lines).split())


_TABLE = bytes.maketrans(
    (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode() + b"\xa0?",
    b"0" * 10 + b"A" * 26 + b"a" * 26 + b"  ",
)

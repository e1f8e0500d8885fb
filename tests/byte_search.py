"""A search over bytes for a text, in any form that a program would write it in."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from urllib.parse import quote

from lounge.doctors import digest_of


def found_in(outputs: Mapping[str, bytes], wanted: Mapping[str, str]) -> list[str]:
    """Which of these texts is where, in any form that a program would write it in."""
    return [
        f"{what} as {form} in {place}: …{_around(data, needle)!r}…"
        for what, text in wanted.items()
        if text
        for form, needles in forms_of(text).items()
        for needle in needles
        for place, data in outputs.items()
        if needle in data
    ]


def forms_of(text: str) -> dict[str, list[bytes]]:
    """How a text may be written: as it is, in other encodings, as the hash that the stores keep."""
    plain = text.encode()
    # base64 of a text inside another depends on where in a group of three it begins
    base64s = [base64.b64encode(b"\0" * n + plain)[4 if n else 0 :][:-4] for n in range(3)]
    return {
        "plain": [plain, text.lower().encode()],
        "json": [json.dumps(text)[1:-1].encode()],
        "hex": [plain.hex().encode(), plain.hex().upper().encode()],
        "base64": [form for each in base64s for form in (each, each.translate(_URLSAFE))],
        "quoted": [quote(text).encode(), quote(text, safe="").encode()],
        "utf-16": [text.encode("utf-16-le"), text.encode("utf-16-be")],
        "digest": [digest_of(text), digest_of(text).hex().encode()],
    }


def _around(data: bytes, needle: bytes) -> bytes:
    at = data.index(needle)
    return data[max(0, at - 40) : at + len(needle) + 40]


_URLSAFE = bytes.maketrans(b"+/", b"-_")

"""What a reported entry said, sealed until the report is closed: it cannot be edited away meanwhile."""

from __future__ import annotations

from lounge.consults import words_of
from lounge.keys import Keys
from storage.entries import Standing

_LABEL = "evidence"


def words(was: Standing) -> str:
    """What an entry says to its readers, as one text; empty when it has no words."""
    if was.kind == "consult.open":
        return words_of(was.body)
    choices = was.body.get("choices", ())
    parts = (was.text, was.body.get("question", ""), *choices)
    return "\n".join(str(part) for part in parts if part)


def seal(keys: Keys, report_id: str, text: str) -> bytes:
    """Opens only as the evidence of this report, and not with the key of the store that it lies in."""
    return keys.identity.seal(_LABEL, text.encode(), report_id.encode())


def unseal(keys: Keys, report_id: str, sealed: bytes) -> str:
    """What was reported. Raises KeyFault."""
    return keys.identity.unseal(_LABEL, sealed, report_id.encode()).decode()

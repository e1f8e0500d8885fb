"""What a moderator asks for: one act, as the wire and HTTP have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Means = Literal[
    "hide",
    "restore",
    "purge",
    "pin",
    "slow",
    "freeze",
    "close",
    "warn",
    "mute",
    "remove",
    "hide_hour",
]
Reason = Literal[
    "patient_identifiable",
    "dangerous_advice",
    "harassment",
    "advertising",
    "not_a_doctor",
    "other",
]
"""Why: the kinds of reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One act in `room`. `seq`: the entry it is about; `note`: what those concerned will read besides.

    `seconds` of slow mode; `minutes` None until it is lifted; `on`: pinned or frozen, or no longer.
    `not_patient`: what the guard found in the note is about no patient.
    """

    room: str
    act: Means
    cid: str
    seq: int | None = None
    reason: Reason | None = None
    note: str | None = None
    seconds: int | None = None
    minutes: int | None = None
    everywhere: bool = False
    on: bool = True
    not_patient: bool = False

    @property
    def content(self) -> tuple[object, ...]:
        """What makes a repetition of it the same."""
        return ("moderate", *(getattr(self, name) for name in _CONTENT))


_CONTENT = ("act", "seq", "reason", "note", "seconds", "minutes", "everywhere", "on")

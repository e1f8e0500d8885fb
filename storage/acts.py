"""An act: everything that happens together or not at all. A message is the smallest one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Executable


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has a place. `body` is JSON; `terms` go to the search index when not None."""

    id: str
    kind: str
    salt: bytes
    body: bytes
    persona: bytes | None = None
    target: int | None = None
    face: str | None = None
    badge: str | None = None
    name: str | None = None
    """How the speaker is shown now: for the announcement, the persona's row is what is kept."""
    is_say: bool = False
    terms: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A statement of an act. With `rows` set it is a guard: another count of rows refuses the act alone.

    When `numbered`, the statement's `:act_seq` is the seq of the act's first entry, in its own room or in
    `room_id`.
    """

    statement: Executable
    values: Mapping[str, Any] = field(default_factory=dict)
    rows: int | None = None
    numbered: bool = False
    room_id: int | None = None


@dataclass(frozen=True, slots=True)
class PersonaRow:
    """A persona that speaks for the first time, or is shown otherwise than when its badge `was` that.

    Badges are JSON. One that was changed by somebody else meanwhile stays as it is. Of `names` it gets the
    first that nobody in the room has, or keeps the one that it has; a single one is not asked about.
    """

    id: bytes
    face: str
    badge: str
    was: str | None = None
    names: tuple[str, ...] = ()
    exact: bool = False
    sealed: bytes | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A sealed line for one doctor's private log. `id` is random and makes its delivery idempotent."""

    id: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Noted:
    """A row of the audit that comes with an act: what a role did about a place."""

    act: str
    by: str
    about: str
    detail: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Entries that an act appends in another room than its own."""

    room_id: int
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, slots=True)
class Act:
    """What is queued: entries with their guards. `epoch` is the gate's when it was allowed.

    It is of one room, whose entries its answer tells; `elsewhere` comes with it in others.
    """

    room_id: int
    dedup: bytes
    fingerprint: bytes
    epoch: int
    drafts: tuple[Draft, ...] = ()
    steps: tuple[Step, ...] = ()
    persona: PersonaRow | None = None
    letters: tuple[Letter, ...] = ()
    noted: Noted | None = None
    scrub: bool = False
    """The act erases text: empty the write-ahead log after it."""
    elsewhere: tuple[Elsewhere, ...] = ()

    @property
    def parts(self) -> tuple[Elsewhere, ...]:
        """Its entries room by room, its own first."""
        return (Elsewhere(self.room_id, self.drafts), *self.elsewhere)

    @property
    def bytes(self) -> int:
        return sum(len(draft.body) for part in self.parts for draft in part.drafts) + 200


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a draft went. `at` in milliseconds; `says` counts the room's says up to and with it."""

    seq: int
    id: str
    at: int
    says: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to an act: its places, whether it was done before, and the name that its persona got."""

    placed: tuple[Placed, ...]
    duplicate: bool = False
    name: str | None = None


Answer = Outcome | Exception
"""What becomes of an act: its outcome, or why nothing of it was done."""


class Missed(Exception):  # noqa: N818 - an answer, not a fault
    """A guard of the act did not hold. Nothing of it was done."""


class CidConflict(Exception):  # noqa: N818
    """The client id was used before for something else."""


class Stale(Exception):  # noqa: N818
    """Somebody was revoked since the act was allowed: ask again whether it may be done."""


class QueueFull(Exception):  # noqa: N818
    """More waits to be committed than the bound allows. Nothing of this act was taken."""

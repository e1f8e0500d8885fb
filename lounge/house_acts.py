"""Acts of nobody: what the house does by itself, through the same writer as everybody's."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from lounge.acting import Request
from storage.acts import (
    Act,
    Draft,
    Elsewhere,
    Letter,
    Missed,
    Noted,
    Outcome,
    PersonaRow,
    QueueFull,
    Stale,
    Step,
)
from storage.database import StorageError
from storage.writer import Writer

ASKED_ANEW = 60
"""As for a doctor's acts: many may be revoked at once."""


class HouseActs:
    """Does what no seat asked for. Its entries have no persona unless a draft says so."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def do(
        self,
        room_number: int,
        drafts: Sequence[Draft] = (),
        steps: Sequence[Step] = (),
        elsewhere: Sequence[Elsewhere] = (),
        letters: Sequence[Letter] = (),
        persona: PersonaRow | None = None,
        noted: Noted | None = None,
        as_if: Request | None = None,
    ) -> Outcome | None:
        """All of it, or nothing and None: a guard missed, somebody else did it. Raises StorageError.

        `as_if`: whoever sent that finds it done.
        """
        dedup = secrets.token_bytes(16) if as_if is None else as_if.dedup
        for _ in range(ASKED_ANEW):
            act = Act(
                room_id=room_number,
                dedup=dedup,
                fingerprint=dedup if as_if is None else as_if.fingerprint,
                epoch=self._writer.epoch,
                drafts=tuple(drafts),
                steps=tuple(steps),
                letters=tuple(letters),
                elsewhere=tuple(elsewhere),
                persona=persona,
                noted=noted,
            )
            try:
                return await self._writer.submit(act)
            except Stale:  # somebody was revoked, which is nothing to the house
                continue
            except Missed:
                return None
            except QueueFull:
                break
        raise StorageError("too much waits to be committed")

"""The way in for texts: one passes, or is held with what the guard found in it; both are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from lounge import guard
from lounge.errors import Code, Refusal

HELD = "held"
WAIVED = "waived"


class Waiver:
    """An author's word on the texts of one command, that this is not a patient; and what it let through.

    `room`: where they will be read, when that is known.
    """

    __slots__ = ("kinds", "not_patient", "room")

    def __init__(self, *, not_patient: bool = False, room: str | None = None) -> None:
        self.not_patient = not_patient
        self.room = room
        self.kinds: frozenset[str] = frozenset()

    def kept(self, body: Mapping[str, object]) -> dict[str, object]:
        """The body of an entry with the kinds that were waived in it, which moderators are shown."""
        return {**body, "waived": sorted(self.kinds)} if self.kinds else {**body}


def admit_name(name: str, field: str) -> None:
    """A name that the house gives one of its own things: no number or address of a person is in it.

    Places and persons it may be called after. Raises Refusal `held_privacy`.
    """
    if held := tuple(span for span in guard.examine(name).hard if span.kind != "name"):
        raise Refusal(Code.HELD_PRIVACY, "refusal.held_privacy", spans=held, field=field)


class Guarding:
    """Asks the guard about every text that others can read."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """Texts `held` and `waived` by this process."""
        self.noted: Callable[[str, str], None] = _nobody
        """Called with a room's id and `held` or `waived`."""

    def admit(self, text: str, waiver: Waiver, field: str | None = None) -> None:
        """Nothing in it leads to a person, or only what its author answers for. Raises `held_privacy`.

        `field`: which text it is, where the command has several.
        """
        verdict = guard.examine(text)
        held = verdict.held(not_patient=waiver.not_patient)
        if held:
            self._count(HELD, waiver)
            if field is None:
                raise Refusal(Code.HELD_PRIVACY, "refusal.held_privacy", spans=held)
            raise Refusal(Code.HELD_PRIVACY, "refusal.held_privacy", spans=held, field=field)
        if verdict.spans:
            waiver.kinds |= set(verdict.kinds)
            self._count(WAIVED, waiver)

    def _count(self, what: str, waiver: Waiver) -> None:
        self.counts[what] += 1
        if waiver.room is not None:
            self.noted(waiver.room, what)


def _nobody(_: str, __: str) -> None:
    """Until there is somebody who shows it."""

"""What a demonstration begins with: some talk, and something for its moderator to look at.

The cast say and report it themselves, through the lounge's own parts, as anybody would.
"""

from __future__ import annotations

import secrets

from lounge import demo
from lounge.acting import Seat
from lounge.cases import Case
from lounge.doctors import Visit
from lounge.door import Guest
from lounge.errors import Code, Refusal
from lounge.moderating.asked import Asked
from lounge.moderating.rules import Pattern, Rule
from lounge.opening import Lounge
from storage import facts

HOUSE, FAR, ICU, HERE = "world", "country/us", "specialty/intensive-care", "country/gb"
_FACT = "scenes"


async def play(lounge: Lounge) -> bool:
    """Put them in, once in the life of a demonstration; False: it had them. After `demo.fill`."""
    mine = secrets.token_bytes(8)
    if await facts.keep(lounge.identity_database, _FACT, mine) != mine:
        return False
    await lounge.door.watch()
    stage = _Stage(lounge)
    await _talk(stage)
    await _trouble(stage)
    await _order(stage)
    return True


class _Stage:
    """The cast, each at a seat of her own in every room where she is needed."""

    def __init__(self, lounge: Lounge) -> None:
        self.lounge = lounge
        self._seats: dict[tuple[str, str], Seat] = {}

    async def guest(self, name: str) -> Guest:
        member = next(each for each in demo.CAST if each.name == name)
        id = await demo.doctor_id(self.lounge.identity_database, member)
        doctor = await self.lounge.doctors.find(id)
        assert doctor
        return Guest(Visit(doctor, None, None), self.lounge.door.epoch, lambda _: None)

    async def says(
        self, name: str, room: str, text: str, to: int | None = None, *, not_patient: bool = False
    ) -> int:
        """Where it stands."""
        seat, speak = await self._seat(name, room), self.lounge.conversation.say
        outcome = await speak(seat, _cid(), text, to, None, not_patient=not_patient)
        return outcome.placed[0].seq

    async def report(
        self, name: str, room: str, seq: int, kind: str, note: str | None = None
    ) -> None:
        seat = await self._seat(name, room)
        await self.lounge.moderating.reports.report(seat, seq, _cid(), kind, note)

    async def _seat(self, name: str, room: str) -> Seat:
        if (name, room) not in self._seats:
            guest = await self.guest(name)
            shelf = await self.lounge.belongings.of(guest.doctor.id)
            seat = await self.lounge.conversation.take_seat(guest, room, shelf)
            self._seats[name, room] = seat
        return self._seats[name, room]


async def _talk(stage: _Stage) -> None:
    asked = await stage.says(
        "Denis", HOUSE, "Who stops aspirin before a cataract, and who does not?"
    )
    await stage.says(
        "Ana", HOUSE, "I do not: topical anaesthesia, and the stent stays open.", asked
    )
    await stage.says("Ben", HOUSE, "Nor do we. Anticoagulants are another matter.", asked)
    await stage.says("Chiara", HERE, "Has anybody a stroke pathway for the small hours to share?")
    await stage.says("Ana", HERE, "Ours is one page long, and half of it is telephone manners.")
    reading = "Mrs Dalloway is read on Monday: our circle has two chairs left."
    await stage.says("Chiara", HERE, reading, not_patient=True)
    await stage.says("Ben", FAR, "Night shift bingo: three nosebleeds, one bead, no bed.")
    case = Case(
        question="Fever on the ninth day after a trip to the tropics: what besides malaria first?",
        specialties=("infectious-diseases",),
        urgency="today",
        presentation="Two thin films are negative, platelets falling, a faint rash since noon.",
    )
    ben = await stage.guest("Ben")
    shelf = await stage.lounge.belongings.of(ben.doctor.id)
    await stage.lounge.cases.open(ben, shelf, case, None, None, _cid())


async def _trouble(stage: _Stage) -> None:
    """A crowd disputes one, hides another, and leaves the third to who looks."""
    disputed = await stage.says(
        "Denis", ICU, "Give the potassium undiluted and as a push, nobody has time for a pump."
    )
    await stage.report("Ana", ICU, disputed, "dangerous_advice", "A push of it stops the heart.")
    await stage.report("Ben", ICU, disputed, "dangerous_advice", "Ten an hour, with a monitor.")
    await stage.report("Chiara", ICU, disputed, "dangerous_advice")
    known = await stage.says(
        "Chiara", ICU, "The man from the bridge, the one in all the papers: we lost the leg."
    )
    for name in ("Ana", "Ben", "Denis"):
        await stage.report(name, ICU, known, "patient_identifiable")
    rude = await stage.says("Ben", HOUSE, "Whoever still does that should hand the licence back.")
    await stage.report("Denis", HOUSE, rude, "harassment", "That was meant for one of us.")


async def _order(stage: _Stage) -> None:
    """Moira's rule keeps a text back, and one room is slow."""
    moira, part = await stage.guest("Moira"), stage.lounge.moderating
    await part.ruling.add(moira.doctor, _RULE)
    try:
        await stage.says("Ana", FAR, "My webinar on sepsis: the first hundred get in for nothing.")
    except Refusal as refusal:
        if refusal.code is not Code.HELD_RULE:
            raise
    await part.acts.do(moira, Asked(room=FAR, act="slow", cid=_cid(), seconds=30, reason="other"))


def _cid() -> str:
    return secrets.token_urlsafe(12)


_RULE = Rule(
    name="Events",
    test=Pattern(r"\bwebinars?\b"),
    action="hold",
    reason="advertising",
    words="Whoever announces an event is read by a moderator first.",
    rooms=[HOUSE, FAR],
)

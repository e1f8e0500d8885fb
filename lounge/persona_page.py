"""A persona's page: who it is, and how often it helped in its room, as far as a colleague may know."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lounge import policy
from lounge.consults import is_consult
from lounge.conversation import THANKS
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.events import By
from lounge.faces import Ids
from lounge.oncall.places import is_page
from lounge.personas import by, decode_badge, persona_id
from lounge.talks import is_talk
from storage import personas

if TYPE_CHECKING:
    from lounge.opening import Lounge

BANDS = (0, 2, 5, 10, 20, 50)
"""The most of each band; above the last there is one without an end."""


@dataclass(frozen=True, slots=True)
class Page:
    """`least` to `most` (None: no end) of its says were thanked for. `retired`: one's own, once."""

    by: By
    least: int
    most: int | None
    own: bool
    ignored: bool
    retired: bool


async def page_of(lounge: Lounge, doctor: Doctor, room_id: str, wire_id: str) -> Page:
    """The page of a persona that has spoken in a room which this doctor may enter. Raises Refusal."""
    room = await _room(lounge, doctor, room_id)
    number, id = await lounge.conversation.number(room), persona_id(wire_id)
    async with lounge.database.reading() as connection:
        shown = await personas.in_room(connection, number, id) if id else None
        if id is None or shown is None:
            raise Refusal(Code.NOT_FOUND, "refusal.no_such_persona")
        helped = await personas.helped(connection, number, id, THANKS)
    shelf = await lounge.belongings.of(doctor.id)
    ids = Ids(lounge.personas, doctor.id, room)
    return Page(
        by(id, shown.face, decode_badge(shown.badge), shown.name),
        *band(helped),
        own=id in ids.all,
        ignored=wire_id in shelf.ignored(room),
        retired=id in map(ids.made_up, range(shelf.retired(room))),
    )


def band(count: int) -> tuple[int, int | None]:
    """The bounds between which a count is told."""
    place = bisect_left(BANDS, count)
    least = 0 if place == 0 else BANDS[place - 1] + 1
    return least, BANDS[place] if place < len(BANDS) else None


async def _room(lounge: Lounge, doctor: Doctor, room_id: str) -> str:
    lounge.sanctions.may_enter(doctor.id, room_id)
    if is_talk(room_id):
        return (await lounge.talks.admit(doctor, room_id)).talk.origin
    if is_page(room_id):
        return (await lounge.pages.admit(doctor, room_id)).page.slug
    if is_consult(room_id):
        return (await lounge.consults.admit(doctor, room_id)).id
    return policy.admit(doctor, room_id, lounge.rooms).id

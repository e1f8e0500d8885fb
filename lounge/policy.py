"""Who may do what: pure yes/no rules, asked on every message and every resume."""

from __future__ import annotations

from lounge.doctors import Doctor, is_moderator
from lounge.errors import Code, Refusal
from lounge.rooms import Catalogue, Room

ABOVE = "above"
"""A room as a moderator has it who acts there: its kind."""


def admit(doctor: Doctor, room_id: str, catalogue: Catalogue) -> Room:
    """The room, if this doctor may be in it. Raises Refusal saying what is missing."""
    require_open(doctor)
    room = catalogue.find(room_id)
    if room is None or room.kind == "me":  # one's own log is nobody else's room
        raise Refusal(Code.NOT_FOUND, "refusal.no_such_room")
    if not may_enter(doctor, room, catalogue):
        raise Refusal(Code.FORBIDDEN, "refusal.room_rule")
    return room


def require_open(doctor: Doctor) -> None:
    """Rooms are open to her at all. Raises Refusal saying what is missing."""
    if not doctor.verified:
        raise Refusal(Code.FORBIDDEN, "refusal.not_verified")
    if not doctor.accepted:
        raise Refusal(Code.FORBIDDEN, "refusal.not_accepted")


def stays(doctor: Doctor, room: Room, catalogue: Catalogue) -> None:
    """Asked again of who is in a room. The two of a talk or a page stay the two, and its room is in no
    list; nor is a consult, which is open to everybody. A moderator acts from `ABOVE`, let in or not.

    Raises Refusal saying what is missing.
    """
    if room.kind in ("talk", "consult", "page"):
        require_open(doctor)
    elif room.kind == ABOVE:
        require_open(doctor)
        if not may_moderate(doctor):
            raise Refusal(Code.FORBIDDEN, "refusal.not_moderator")
    else:
        admit(doctor, room.id, catalogue)


def may_enter(doctor: Doctor, room: Room, catalogue: Catalogue) -> bool:
    """Every verified doctor may, unless the room's rule over verified attributes says otherwise."""
    if not (doctor.verified and doctor.accepted):
        return False
    group = catalogue.group_of(doctor.specialty) if doctor.specialty else None
    return catalogue.admits(room.id, doctor.attributes(group))


def may_edit(is_own: bool) -> bool:
    """Only the author corrects."""
    return is_own


def may_redact(doctor: Doctor, is_own: bool) -> bool:
    """The author takes back; a moderator hides."""
    return is_own or may_moderate(doctor)


def may_moderate(doctor: Doctor) -> bool:
    """She is a moderator of something; of what, `lounge.moderating.scopes` says."""
    return doctor.verified and any(is_moderator(role) for role in doctor.roles)

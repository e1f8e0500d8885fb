"""Builds that leak on purpose: each is the product with one careless line, and an attack must find it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lounge import drafts, faces, sealing
from lounge.acting import Acting, Seat
from lounge.ballots import Ballots
from lounge.door import Guest
from lounge.names import ADJECTIVES, NOUNS
from lounge.oncall.places import Places
from lounge.personas import Personas, wire_id
from lounge.polls import Polls
from storage import ballots, pages
from storage.acts import Draft, Step
from storage.polls import Poll
from tests.attacks.evenings import ACTING

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Leak:
    """What is careless, how to be so, and the attack that must find it."""

    name: str
    careless: Callable[[Patch], None]
    attack: str


def serial_ids(patch: Patch) -> None:
    """Personas numbered as doctors come, with something of the room before the number."""
    numbers: dict[str, int] = {}

    def id_of(_: Personas, doctor: str, room: str, face: str = "", generation: int = 0) -> bytes:
        number = numbers.setdefault(doctor, len(numbers) + 1)
        return _digest(f"{room} {face or 'anonymous'} {generation}", 12) + number.to_bytes(4)

    patch.setattr(Personas, "id_of", id_of)


def ids_without_a_key(patch: Patch) -> None:
    """A plain hash of doctor and room."""

    def id_of(_: Personas, doctor: str, room: str, face: str = "", generation: int = 0) -> bytes:
        more = "" if face in ("", "anonymous") and not generation else f"\n{face} {generation}"
        return hashlib.sha256(f"{doctor}\n{room}{more}".encode()).digest()[:16]

    patch.setattr(Personas, "id_of", id_of)


def one_salt(patch: Patch) -> None:
    """Entries salted by their author."""
    draft = drafts.draft

    def salted(*fields: Any, **named: Any) -> Draft:
        return replace(draft(*fields, **named), salt=_digest(ACTING.get(), 16))

    patch.setattr(drafts, "draft", salted)


def entry_ids(patch: Patch) -> None:
    """The first letters of an entry's id are its author's."""
    random = secrets.token_urlsafe
    patch.setattr(
        secrets,
        "token_urlsafe",
        lambda size=32: _digest(ACTING.get(), 2).hex() + random(size)[4:],
    )


def receipts_by_doctor(patch: Patch) -> None:
    """Receipts that lie together, a doctor's beside each other."""
    keyed = Acting._hash
    patch.setattr(
        Acting, "_hash", lambda self, text: _digest(ACTING.get(), 4) + keyed(self, text)[4:]
    )


def one_name(patch: Patch) -> None:
    """The same made-up name in every room."""

    def candidates(_: bytes) -> tuple[str, ...]:
        number = int.from_bytes(_digest(ACTING.get(), 4))
        return (f"{NOUNS[number % len(NOUNS)]} {ADJECTIVES[number % 97]}",)

    patch.setattr(faces, "candidates", candidates)


def one_box(patch: Patch) -> None:
    """Authors sealed without anything random."""
    patch.setattr(sealing.Seal, "close", lambda self, doctor, officers: _digest(doctor, 64))


def personas_on_ballots(patch: Patch) -> None:
    """As whom she would speak there, so that her own can be marked."""
    putting, voters = ballots.putting, dict[bytes, bytes]()
    key_of = Ballots._key_of

    def keyed(self: Ballots, seat: Seat) -> bytes:
        key = key_of(self, seat)
        voters[key] = self._personas.id_of(seat.guest.doctor.id, seat.room.id)
        return key

    def put(key: bytes, slug: str, body: bytes) -> Step:
        by = f',"by":"{wire_id(voters[key])}"}}'
        return putting(key, slug, body[:-1] + by.encode())

    patch.setattr(Ballots, "_key_of", keyed)
    patch.setattr(ballots, "putting", put)


def ballots_in_order(patch: Patch) -> None:
    """Under the number of the doctor, as they joined."""
    numbers: dict[str, int] = {}

    def keyed(_: Ballots, seat: Seat) -> bytes:
        number = numbers.setdefault(seat.guest.doctor.id, len(numbers) + 1)
        return number.to_bytes(4) + _digest(f"{number} {seat.room.id}", 12)

    patch.setattr(Ballots, "_key_of", keyed)


def votes_without_a_key(patch: Patch) -> None:
    """A plain hash of doctor and poll."""

    def keyed(_: Polls, guest: Guest, poll: Poll) -> bytes:
        return hashlib.sha256(f"{guest.doctor.id}\n{poll.id}".encode()).digest()[:16]

    patch.setattr(Polls, "_ballot_key", keyed)


def alerted_by_doctor(patch: Patch) -> None:
    """Beside whom a page is put to stands something of the doctor."""
    own, alerting, doctors = Places.own, pages.alerting, dict[bytes, str]()

    def noted(self: Places, doctor_id: str, room_id: str) -> bytes:
        persona = own(self, doctor_id, room_id)
        doctors[persona] = doctor_id
        return persona

    def put(whom: pages.Alerted) -> Step:
        return alerting(replace(whom, layer=_digest(doctors[whom.persona], 8).hex()))

    patch.setattr(Places, "own", noted)
    patch.setattr(pages, "alerting", put)


def _digest(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=size).digest()


LEAKS = (
    Leak("serial ids", serial_ids, "persona.id, shared"),
    Leak("ids without a key", ids_without_a_key, "names by hash"),
    Leak("one salt", one_salt, "entry.salt, shared"),
    Leak("entry ids", entry_ids, "frames: event id, shared"),
    Leak("receipts by doctor", receipts_by_doctor, "receipt.dedup, shared"),
    Leak("one name", one_name, "frames: name, shared"),
    Leak("one box", one_box, "persona.sealed, shared"),
    Leak("personas on ballots", personas_on_ballots, "voters: ballot and any value, shared"),
    Leak("ballots in order", ballots_in_order, "ballots: ballot.key and persona.id, near"),
    Leak("alerted by doctor", alerted_by_doctor, "page to page: alerted.layer, shared"),
    Leak("votes without a key", votes_without_a_key, "names of voters: names by hash"),
)
QUICK = ("ids without a key",)
"""What is tried whenever anything is; the others when there is time."""

"""The faces of one doctor in one room: which she wears, which she has worn, and how each is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from lounge.belongings import Shelf
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from lounge.events import Badge, By
from lounge.names import candidates
from lounge.personas import (
    ANONYMOUS,
    FACES,
    MOST_RETIRED,
    NAMED,
    SCREEN,
    Crowd,
    Face,
    Persona,
    Personas,
    decode_badge,
    encode_badge,
    exact_badge,
)
from storage.acts import PersonaRow
from storage.entries import Shown

Rows = Mapping[bytes, Shown]
"""How personas are on record, by id; those who have not spoken are missing."""


@dataclass(slots=True)
class Worn:
    """One face, as whom she speaks with it now. `row`: how it is on record; None before its first say."""

    persona: Persona
    row: Shown | None
    exact: bool = False
    badge: str = ""
    """The persona's badge, as JSON."""
    crowd: Crowd | None = None
    """By which the badge was weighed."""

    def recorded(self, name: str | None) -> None:
        """Her say is in SQL, and with it this row."""
        self.row = Shown(self.persona.face, self.badge, name or self.persona.name, self.exact)
        self.persona = _named(self.persona, self.row.name)


class Ids:
    """Everybody that a doctor has been, is or may be in a room, computed when asked for."""

    def __init__(self, personas: Personas, doctor_id: str, room: str) -> None:
        self._personas = personas
        self._whose = doctor_id, room
        self._known: dict[tuple[Face, int], bytes] = {}

    def made_up(self, number: int) -> bytes:
        """The made-up persona after so many that were retired."""
        return self._one(ANONYMOUS, number)

    @property
    def screen(self) -> bytes:
        return self._one(SCREEN)

    @property
    def named(self) -> bytes:
        return self._one(NAMED)

    @cached_property
    def all(self) -> frozenset[bytes]:
        """Those that will be, too."""
        made_up = (self.made_up(number) for number in range(MOST_RETIRED + 1))
        return frozenset((*made_up, self.screen, self.named))

    def to_look_up(self, retired: int) -> tuple[bytes, ...]:
        """Whose rows a seat needs: the next one's too, by which it is seen that one was retired elsewhere."""
        made_up = (self.made_up(number) for number in range(min(retired + 1, MOST_RETIRED) + 1))
        return (*made_up, self.screen, self.named)

    def _one(self, face: Face, number: int = 0) -> bytes:
        id = self._known.get((face, number))
        if id is None:
            id = self._personas.id_of(*self._whose, face, number)
            self._known[face, number] = id
        return id


class Dress(Protocol):
    """What a seat wears. Every say asks it; nothing in it waits for anything."""

    @property
    def ids(self) -> frozenset[bytes]:
        """All of hers in this room."""
        ...

    def needs_name(self, face: Face | None) -> bool:
        """True until `is_called`, for the face that shows her real name."""
        ...

    def is_called(self, name: str) -> None:
        """Her real name, for the face that shows it."""
        ...

    def wears(self, face: Face | None = None) -> Worn:
        """As whom she speaks with this face, or with the one worn here. Raises Refusal."""
        ...

    def previewed(self, face: Face | None, exact: bool | None) -> Persona:
        """As whom she would speak. Raises Refusal."""
        ...

    def introduction(self, worn: Worn, seal: Callable[[str], bytes | None]) -> PersonaRow | None:
        """The persona's row, when it is not there yet or shows something else than she does now."""
        ...

    def said(self, id: bytes, shown: Shown | None) -> Worn:
        """As whom she said something before, as others see it now."""
        ...

    def you(self) -> list[By]:
        """All her faces here: first the made-up one of now, last those that are retired."""
        ...

    def retire(self) -> None:
        """Be somebody new from now on, unless the present one has not spoken. Raises Refusal."""
        ...

    @property
    def chosen(self) -> tuple[Face, bool]:
        """The face worn here, and whether with the whole badge."""
        ...


class Wardrobe:
    """The faces of a room, of which one is chosen."""

    def __init__(
        self,
        personas: Personas,
        doctor: Callable[[], Doctor],
        room: str,
        shelf: Shelf,
        ids: Ids,
        rows: Rows,
    ) -> None:
        """`doctor` gives her as she is now; `rows` are those of `ids.to_look_up`."""
        self._personas = personas
        self._doctor = doctor
        self._room = room
        self._shelf = shelf
        self._ids = ids
        self._rows = rows
        self._worn: dict[bytes, Worn] = {}
        self._called: str | None = None
        following = shelf.retired(room) + 1
        if following <= MOST_RETIRED and ids.made_up(following) in rows:
            shelf.retire(room, following)

    @property
    def ids(self) -> frozenset[bytes]:
        return self._ids.all

    @property
    def face(self) -> Face:
        """The one that was chosen for this room, or for all in which none was."""
        chosen = self._shelf.face(self._room)
        return next((face for face in FACES if face == chosen), ANONYMOUS)

    @property
    def chosen(self) -> tuple[Face, bool]:
        return self.face, self._shelf.is_exact(self._room, self.face)

    def needs_name(self, face: Face | None) -> bool:
        return (face or self.face) == NAMED and self._name(NAMED) is None

    def is_called(self, name: str) -> None:
        self._called = name

    def wears(self, face: Face | None = None) -> Worn:
        """The k-guard is asked with every say: colleagues may have gone since.

        Raises Refusal when she has no screen name.
        """
        face = face or self.face
        worn = self._of(face)
        self._weigh(worn, self._shelf.is_exact(self._room, face))
        return worn

    def previewed(self, face: Face | None, exact: bool | None) -> Persona:
        worn = self.wears(face)
        if exact is None or exact == worn.exact:
            return worn.persona
        badge = self._exact() if exact else self._guarded(worn)
        return replace(worn.persona, badge=badge)

    def introduction(self, worn: Worn, seal: Callable[[str], bytes | None]) -> PersonaRow | None:
        row, persona = worn.row, worn.persona
        if row is None:
            sealed = seal(self._doctor().id)
            return PersonaRow(
                persona.id, persona.face, worn.badge, None, _names(persona), worn.exact, sealed
            )
        if (row.badge, row.exact, row.name) == (worn.badge, worn.exact, persona.name):
            return None
        return PersonaRow(
            persona.id, persona.face, worn.badge, row.badge, _names(persona), worn.exact
        )

    def you(self) -> list[By]:
        return [worn.persona.by for worn in self._all()]

    def said(self, id: bytes, shown: Shown | None) -> Worn:
        return _on_record(id, shown)

    def retire(self) -> None:
        if self._of(ANONYMOUS).row is None:
            return
        following = self._shelf.retired(self._room) + 1
        if following > MOST_RETIRED:
            raise Refusal(Code.FORBIDDEN, "refusal.retired", most=MOST_RETIRED)
        self._shelf.retire(self._room, following)

    # -- privates --------------------------------------------------------------------------------

    def _id(self, face: Face) -> bytes:
        if face == ANONYMOUS:
            return self._ids.made_up(self._shelf.retired(self._room))
        return self._ids.screen if face == SCREEN else self._ids.named

    def _of(self, face: Face) -> Worn:
        worn = self._known(self._id(face), face)
        name = self._name(face)
        if face != ANONYMOUS and name is None:
            raise Refusal(Code.FORBIDDEN, "refusal.no_screen_name")
        worn.persona = _named(worn.persona, name)
        return worn

    def _known(self, id: bytes, face: Face) -> Worn:
        worn = self._worn.get(id)
        if worn is None:
            row = self._rows.get(id)
            worn = Worn(Persona(id, face, Badge()), None) if row is None else _on_record(id, row)
            self._worn[id] = worn
        return worn

    def _name(self, face: Face) -> str | None:
        """What a face is called; None for a made-up one that is not given yet."""
        if face == SCREEN:
            return self._doctor().screen_name
        worn = self._known(self._id(face), face)
        on_record = worn.row.name if worn.row else None
        return (self._called or on_record) if face == NAMED else on_record

    def _weigh(self, worn: Worn, exact: bool) -> None:
        if worn.crowd is self._personas.crowd and worn.exact == exact:
            return
        badge = self._exact() if exact else self._guarded(worn)
        worn.persona = replace(worn.persona, badge=badge)
        worn.crowd, worn.exact, worn.badge = self._personas.crowd, exact, encode_badge(badge)

    def _guarded(self, worn: Worn) -> Badge:
        """What the guard allows now, of what was shown before."""
        allowed = self._personas.badge_of(self._doctor())
        if worn.crowd is not None and not worn.exact:
            return self._personas.meet(worn.persona.badge, allowed)
        if worn.row is None or worn.row.exact:
            return allowed
        return self._personas.meet(decode_badge(worn.row.badge), allowed)

    def _exact(self) -> Badge:
        return exact_badge(self._doctor())

    def _all(self) -> Iterator[Worn]:
        yield self.wears(ANONYMOUS)
        if self._doctor().screen_name is not None:
            yield self.wears(SCREEN)
        elif self._ids.screen in self._rows:
            yield self._known(self._ids.screen, SCREEN)
        if self._name(NAMED) is not None:
            yield self.wears(NAMED)
        for number in reversed(range(self._shelf.retired(self._room))):
            yield self._known(self._ids.made_up(number), ANONYMOUS)


class Met:
    """The one face of a talk: as whom the other one met her."""

    def __init__(
        self, personas: Personas, doctor: Callable[[], Doctor], id: bytes, row: Shown
    ) -> None:
        self._personas = personas
        self._doctor = doctor
        self._worn = _on_record(id, row)

    @property
    def ids(self) -> frozenset[bytes]:
        return frozenset({self._worn.persona.id})

    def needs_name(self, face: Face | None) -> bool:
        return False

    def is_called(self, name: str) -> None:
        """It stays the name by which she was met."""

    def wears(self, face: Face | None = None) -> Worn:
        worn, persona = self._worn, self._worn.persona
        if face not in (None, persona.face):
            raise Refusal(Code.FORBIDDEN, "refusal.talk_face")
        if not worn.exact and worn.crowd is not self._personas.crowd:
            allowed = self._personas.badge_of(self._doctor())
            worn.persona = replace(persona, badge=self._personas.meet(persona.badge, allowed))
            worn.crowd, worn.badge = self._personas.crowd, encode_badge(worn.persona.badge)
        return worn

    def previewed(self, face: Face | None, exact: bool | None) -> Persona:
        return self.wears(face).persona

    def introduction(self, worn: Worn, seal: Callable[[str], bytes | None]) -> PersonaRow | None:
        persona, was = worn.persona, worn.row.badge if worn.row else None
        if worn.badge == was:
            return None
        return PersonaRow(persona.id, persona.face, worn.badge, was, exact=worn.exact)

    def said(self, id: bytes, shown: Shown | None) -> Worn:
        return _on_record(id, shown)

    def you(self) -> list[By]:
        return [self.wears().persona.by]

    def retire(self) -> None:
        raise Refusal(Code.FORBIDDEN, "refusal.talk_face")

    @property
    def chosen(self) -> tuple[Face, bool]:
        return self._worn.persona.face, self._worn.exact


def face_of(row: Shown | None) -> Face | None:
    """With which face a persona on record speaks."""
    return next((face for face in FACES if row and face == row.face), None)


def _on_record(id: bytes, row: Shown | None) -> Worn:
    row = row or Shown(ANONYMOUS, encode_badge(Badge()), None)
    persona = Persona(id, face_of(row) or ANONYMOUS, decode_badge(row.badge), row.name)
    return Worn(persona, row, row.exact, row.badge)


def _named(persona: Persona, name: str | None) -> Persona:
    return persona if persona.name == name else replace(persona, name=name)


def _names(persona: Persona) -> tuple[str, ...]:
    """Those that the persona may get: one only, if it has it."""
    return candidates(persona.id) if persona.name is None else (persona.name,)

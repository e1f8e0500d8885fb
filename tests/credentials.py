"""What tests of joining stand on: an office with its clock, letters as they are sent, made-up sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lounge.credentials.applications import Applications
from lounge.credentials.claims import BOTH, LICENCE, PERSON, Claim, Finding
from lounge.credentials.joining import Joining, open_joining
from lounge.credentials.newcomers import Form
from lounge.doctors import Doctors
from lounge.mail import Mail, Postman
from lounge.sanctions import Sanctions
from tests.stores import START, Clock, Stores

ANA = Form(
    email="ana@heart.example",
    name="Ana",
    country="US",
    specialty="cardiology",
    grade="specialist",
    language="en",
    password="correct horse",
    body="us.npi",
    licence="1234567893",
)


@dataclass(slots=True)
class Said:
    """A source that says what a test wants it to."""

    name: str
    finding: Finding | None = None

    async def examine(self, claim: Claim) -> Finding | None:
        return self.finding


def register(verdict: Any = "agrees", reason: str = "register_agrees", **other: Any) -> Finding:
    """Public, of the licence."""
    return Finding("register", "register us.npi", LICENCE, verdict, reason, True, START, **other)


def institution(verdict: Any = "agrees") -> Finding:
    """Not public, of the person."""
    return Finding(
        "institution", "institution", PERSON, verdict, "mail_at_institution", False, START
    )


def credential(**other: Any) -> Finding:
    """Strong, of both."""
    return Finding(
        "oidc psc", "oidc psc", BOTH, "agrees", "house_agrees", False, START, strong=True, **other
    )


@dataclass(slots=True)
class Letters:
    """A carrier that keeps what it is given."""

    sent: list[Mail] = field(default_factory=list)

    async def send(self, letter: Mail, id: bytes) -> None:
        self.sent.append(letter)

    def code(self, to: str) -> str:
        """The code in the last letter to somebody."""
        (text,) = [letter.text for letter in self.sent if letter.to == to][-1:]
        return str(re.findall(r"^[\w-]{9,}$", text, re.M)[0])


@dataclass(slots=True)
class Desk:
    """Joining on real stores, with sources that a test sets; letters are carried by `carry`."""

    stores: Stores
    doctors: Doctors
    joining: Joining
    clock: Clock
    sources: dict[str, Said]
    letters: Letters
    postman: Postman

    @property
    def applications(self) -> Applications:
        return self.joining.applications

    async def apply(self, form: Form = ANA, **changes: Any) -> str:
        """Apply and confirm: the doctor's id."""
        form = replace_form(form, **changes)
        secret = await self.joining.newcomers.apply(form, address="")
        await self.postman.carry()
        return await self.joining.newcomers.confirm(
            secret, form.email, self.letters.code(form.email), address=""
        )

    async def state(self, doctor_id: str) -> tuple[str, str | None]:
        who, _ = await self.applications.see(doctor_id)
        return who.state, who.reason


def replace_form(form: Form, **changes: Any) -> Form:
    return Form(**{**{name: getattr(form, name) for name in Form.__struct_fields__}, **changes})


def desk_of(stores: Stores, sources: Sequence[str] = ("a", "b"), **settings: Any) -> Desk:
    """`sources` by name; what each says is set by the test."""
    clock, letters = Clock(), Letters()
    doctors = stores.doctors(clock)
    chosen = replace(stores.settings, **settings)
    sanctions = Sanctions(stores.lounge, stores.keys)
    joining = open_joining(
        chosen, stores.identity, stores.lounge, stores.keys, doctors, sanctions, clock
    )
    made_up = {name: Said(name) for name in sources}
    joining.applications.sources = [*joining.applications.sources, *made_up.values()]
    postman = Postman(stores.identity, stores.keys, letters, clock)
    return Desk(stores, doctors, joining, clock, made_up, letters, postman)

"""The demonstration: a made-up cast, and made-up colleagues so that their badges may be shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import cycle, islice, product

from lounge.doctors import digest_of, new_id, new_token
from lounge.errors import Code, Refusal
from lounge.house import TEXTS
from lounge.oncall.policy import DEFAULT
from lounge.oncall.reach import Reaches
from lounge.oncall.roles import Night, body_of
from lounge.oncall.rota import Layer, Rota, Rule
from lounge.titles import COUNTRIES, SPECIALTIES
from storage import facts, identities, roles, visits
from storage.database import Database
from storage.identities import NewDoctor
from storage.roles import RoleRow

COLLEAGUES = 5  # beside each of the cast: with herself one more than the smallest crowd
SHARING_A_BADGE = 10  # synthetic doctors of one specialty, grade and country, at least
_FACT = "demo"
_DOMAIN = "demo.invalid"  # a name that no mail ever reaches (RFC 2606)
_GENERALISTS = frozenset({"family-medicine"})
_BATCH = 1_000


class NotForShow(Exception):  # noqa: N818 - said to the operator as it stands
    """Made-up doctors do not go into a store that holds real ones."""


@dataclass(frozen=True, slots=True)
class Member:
    """One of the cast. `id` says what she is, never her name."""

    id: str
    name: str
    specialty: str
    country: str
    grade: str = "specialist"
    language: str = "en"
    roles: frozenset[str] = field(default_factory=frozenset)
    verified: bool = True

    @property
    def email(self) -> str:
        return f"{self.name.lower()}@{_DOMAIN}"


CAST: Sequence[Member] = (
    Member("cardiologist", "Ana", "cardiology", "CA"),
    Member("emergency-physician", "Ben", "emergency-medicine", "US"),
    Member("neurologist", "Chiara", "neurology", "GB"),
    Member("family-doctor", "Denis", "family-medicine", "CA", grade="generalist", language="fr"),
    Member(
        "moderator", "Moira", "internal-medicine", "GB", roles=frozenset({"doctor", "moderator"})
    ),
    Member("not-verified", "Dan", "general-surgery", "US", verified=False),
)


@dataclass(frozen=True, slots=True)
class Service:
    """A role with the cast on call: its keeper first, always; of `seconds` each a week."""

    id: str
    service: str
    name: str
    specialty: str
    number: str
    first: str
    seconds: tuple[str, ...]


SERVICES: Sequence[Service] = (
    Service(
        id="demo-neurology",
        service="Neurology, Thunder Bay Regional",
        name="Neurologist on call",
        specialty="neurology",
        number="+1 807-555-0142",
        first="Chiara",
        seconds=("Moira", "Denis"),
    ),
    Service(
        id="demo-cardiology",
        service="Cardiology, Lakehead Heart Centre",
        name="Cardiologist on call",
        specialty="cardiology",
        number="+1 807-555-0167",
        first="Ana",
        seconds=("Ben",),
    ),
)


async def fill(identity: Database, *, now: int) -> None:
    """Put the cast, its colleagues and its services in, and mark the store as made up. May be repeated.

    Raises NotForShow when the store holds doctors and is not marked.
    """
    # In this order: another process that fills the store marks it before it adds anybody.
    if await facts.has_doctors(identity) and not await is_demo(identity):
        raise NotForShow("the identity store holds real doctors: give the demo its own LOUNGE_DATA")
    await facts.keep(identity, _FACT, b"1")
    await _add_missing(identity, [*_cast(now), *_colleagues(now)])
    await _add_services(identity, now)


async def reach(identity: Database, ways: Reaches) -> None:
    """E-mail reaches everyone who is on call for a service. After `fill`; may be repeated."""
    on_call = {name for each in SERVICES for name in (each.first, *each.seconds)}
    emails = [each.email for each in CAST if each.name in on_call]
    async with identity.writing() as connection:
        await facts.hold(connection, _FACT)
        for doctor_id in (await identities.ids_by_email(connection, emails)).values():
            await ways.take_mail(connection, doctor_id)


async def is_demo(identity: Database) -> bool:
    """True for a store that `fill` has marked."""
    return await facts.known(identity, _FACT) is not None


def member(id: str) -> Member:
    """Raises Refusal `not_found`."""
    for each in CAST:
        if each.id == id:
            return each
    raise Refusal(Code.NOT_FOUND, "demo.nobody")


async def doctor_id(identity: Database, of: Member) -> str:
    """Raises Refusal `not_found` when the store is not for show: nobody is entered as there."""
    if await is_demo(identity):
        async with identity.reading() as connection:
            ids = await identities.ids_by_email(connection, [of.email])
        if of.email in ids:
            return ids[of.email]
    raise Refusal(Code.NOT_FOUND, "demo.nobody")


async def populate(identity: Database, count: int, *, now: int) -> list[str]:
    """Add `count` synthetic verified doctors; returns a bearer token each. They have no password.

    At least ten share each specialty and country, unless `fill` has seen to that.
    """
    crowded = len(CAST) if await is_demo(identity) else 0
    doctors = list(synthetic(count, now, crowded=crowded))
    tokens: list[str] = []
    for start in range(0, count, _BATCH):
        batch = doctors[start : start + _BATCH]
        secrets = [new_token() for _ in batch]
        rows = [
            (new_id(), digest_of(secret), doctor.id, "synthetic")
            for doctor, secret in zip(batch, secrets, strict=True)
        ]
        async with identity.writing() as connection:
            await identities.add(connection, batch)
            await visits.add_tokens(connection, rows, now)
        tokens += secrets
    return tokens


def synthetic(count: int, now: int, *, crowded: int = 0) -> Iterator[NewDoctor]:
    """Made-up doctors, spread over as many specialties and countries as their number carries.

    The cast's come first; `crowded` of them are shared by enough doctors already.
    """
    badges = dict.fromkeys((each.country, each.specialty) for each in CAST)
    badges |= dict.fromkeys(product(_SPREAD_COUNTRIES, SPECIALTIES))
    shared = islice(badges, max(1, crowded, count // SHARING_A_BADGE))
    for country, specialty in islice(cycle(shared), count):
        yield _made_up(specialty, country, now)


def _cast(now: int) -> Iterator[NewDoctor]:
    for each in CAST:
        yield NewDoctor(
            id=new_id(),
            email=each.email,
            name=each.name,
            country=each.country,
            region=None,
            specialty=each.specialty,
            grade=each.grade,
            language=each.language,
            roles=" ".join(sorted({"doctor", *each.roles})),
            verified_at=now if each.verified else None,
            created=now,
            accepted=now,
            accepted_texts=TEXTS,
        )


def _colleagues(now: int) -> Iterator[NewDoctor]:
    for each in CAST:
        for number in range(1, COLLEAGUES + 1):
            email = f"colleague-{number}-of-{each.id}@{_DOMAIN}"
            yield _made_up(each.specialty, each.country, now, email=email)


def _made_up(specialty: str, country: str, now: int, *, email: str | None = None) -> NewDoctor:
    id = new_id()
    return NewDoctor(
        id=id,
        email=email or f"synthetic-{id.lower()}@{_DOMAIN}",
        name="Synthetic",
        country=country,
        region=None,
        specialty=specialty,
        grade="generalist" if specialty in _GENERALISTS else "specialist",
        language="fr" if country == "FR" else "en",
        roles="doctor",
        verified_at=now,
        created=now,
        accepted=now,
        accepted_texts=TEXTS,
    )


async def _add_missing(identity: Database, doctors: Sequence[NewDoctor]) -> None:
    async with identity.writing() as connection:
        await facts.hold(connection, _FACT)  # several workers may open at once
        known = await identities.ids_by_email(connection, [each.email for each in doctors])
        await identities.add(connection, [each for each in doctors if each.email not in known])


async def _add_services(identity: Database, now: int) -> None:
    async with identity.writing() as connection:
        await facts.hold(connection, _FACT)
        ids = await identities.ids_by_email(connection, [each.email for each in CAST])
        by_name = {each.name: ids[each.email] for each in CAST if each.email in ids}
        for each in SERVICES:
            on = [by_name[name] for name in (each.first, *each.seconds) if name in by_name]
            if await roles.find(connection, each.id) is None and len(on) > len(each.seconds):
                await roles.add(connection, _role(each, on))
                for doctor_id in on:
                    await roles.put_member(connection, each.id, doctor_id, now)


def _role(each: Service, on: Sequence[str]) -> RoleRow:
    keeper, *seconds = on
    layers = (
        Layer("primary", (Rule(((keeper,),), _SINCE, "08:00"),)),
        Layer("secondary", (Rule(tuple((id,) for id in seconds), _SINCE, "08:00", "weeks"),)),
    )
    return RoleRow(
        id=each.id,
        service=each.service,
        name=each.name,
        specialty=each.specialty,
        zone="America/Toronto",
        number=each.number,
        keeper=keeper,
        rule=None,
        body=body_of(Rota(layers), DEFAULT, Night()),
        version=1,
    )


_SINCE = date(2026, 1, 5)
_FIRST = ("CA", "US", "GB", "FR")  # the cast's countries, then all others
_SPREAD_COUNTRIES = (*_FIRST, *(code for code in COUNTRIES if code not in _FIRST))

"""Everything of joining, made in order: what the server, its loops and the command line work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lounge.clock import now_ms
from lounge.credentials.applications import Applications
from lounge.credentials.claims import Source
from lounge.credentials.documents import Documents
from lounge.credentials.houses import Houses
from lounge.credentials.institutions import Institutions
from lounge.credentials.invitations import Invitations, Listed
from lounge.credentials.newcomers import Newcomers
from lounge.credentials.nppes import Nppes
from lounge.credentials.numbers import Numbers
from lounge.credentials.providers import read_providers
from lounge.credentials.registers import Registers
from lounge.credentials.reviews import Reviews
from lounge.credentials.verification import Verification, read_verification
from lounge.credentials.vouchers import Vouchers
from lounge.doctors import Doctors
from lounge.keys import Keys
from lounge.knocks import Knocks
from lounge.mail import Postman, carrier_of
from lounge.sanctions import Sanctions
from lounge.settings import Settings
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Joining:
    """Made by `open_joining`."""

    verification: Verification
    applications: Applications
    newcomers: Newcomers
    documents: Documents
    vouchers: Vouchers
    reviews: Reviews
    invitations: Invitations
    postman: Postman
    houses: Houses


def open_joining(
    settings: Settings,
    identity: Database,
    lounge: Database,
    keys: Keys,
    doctors: Doctors,
    sanctions: Sanctions,
    clock: Callable[[], int] = now_ms,
) -> Joining:
    """Raises VerificationFileError."""
    verification = read_verification(settings)
    vouchers = Vouchers(identity, keys.identity, clock)
    knocks = Knocks(identity, keys.identity, lifted=settings.bench)
    providers = read_providers(verification.oidc)
    houses = Houses.opened(providers, identity, keys, knocks, clock)
    documents = Documents(identity, keys.identity, clock)
    applications = Applications(
        identity,
        lounge,
        keys,
        preset=verification.preset,
        sources=[
            Numbers(clock),
            Institutions(verification.institutions, clock),
            vouchers,
            Listed(identity, strong=verification.preset.house_knows, clock=clock),
            *_registers(verification, identity, clock),
            *houses.all,
        ],
        inherit=sanctions.inherit,
        clock=clock,
    )
    return Joining(
        verification=verification,
        applications=applications,
        newcomers=Newcomers(
            identity,
            keys.identity,
            applications,
            knocks=knocks,
            hash_password=doctors.hash_password,
            clock=clock,
        ),
        documents=documents,
        vouchers=vouchers,
        reviews=Reviews(identity, applications, documents, clock),
        invitations=Invitations(identity, keys, applications, clock),
        postman=Postman(identity, keys, carrier_of(settings), clock),
        houses=houses,
    )


def _registers(
    verification: Verification, identity: Database, clock: Callable[[], int]
) -> list[Source]:
    registers: list[Source] = [Registers(identity, clock)]
    if verification.nppes:
        registers.append(Nppes(clock=clock))
    return registers

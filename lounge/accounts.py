"""What an account needs besides its sessions, put together: proofs, recovery, her data, leaving."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lounge.belongings import Belongings
from lounge.clock import now_ms
from lounge.doctors import Doctors
from lounge.keys import Keys
from lounge.leaving import Authors, Leaving
from lounge.notices import Notices
from lounge.own_data import OwnData
from lounge.passkeys import Passkeys
from lounge.proofs import Proofs
from lounge.recovery import Recovery, RecoveryCodes
from lounge.settings import Settings
from lounge.totp import Totp
from storage.database import Database


@dataclass(frozen=True, slots=True)
class Accounts:
    """Each part by its name."""

    passkeys: Passkeys
    totp: Totp
    codes: RecoveryCodes
    proofs: Proofs
    recovery: Recovery
    own_data: OwnData
    leaving: Leaving


def open_accounts(
    identity: Database,
    lounge: Database,
    keys: Keys,
    settings: Settings,
    doctors: Doctors,
    belongings: Belongings,
    seals: Authors,
    personas: Callable[[str, Sequence[str]], Sequence[bytes]],
    *,
    clock: Callable[[], int] = now_ms,
) -> Accounts:
    """`personas`: the ids of a doctor's personas in these rooms."""
    passkeys = Passkeys(identity, keys, clock=clock)
    totp = Totp(identity, keys, clock=clock)
    codes = RecoveryCodes(identity, keys, clock=clock)
    return Accounts(
        passkeys=passkeys,
        totp=totp,
        codes=codes,
        proofs=Proofs(identity, keys, settings, doctors, passkeys, totp, codes, clock=clock),
        recovery=Recovery(identity, keys, settings, clock=clock),
        own_data=OwnData(identity, keys, belongings, Notices(identity, keys), clock=clock),
        leaving=Leaving(identity, lounge, doctors, seals, personas, clock=clock),
    )

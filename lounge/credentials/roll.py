"""The roll: how each doctor stands. Whatever changes that is audited and told to her."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from lounge.credentials.claims import BOTH, Finding
from lounge.credentials.decision import REGISTRAR
from lounge.credentials.records import record_of
from lounge.keys import Keys
from lounge.mail import Mail, mail_of, post
from lounge.notices import account_act
from lounge.words import catalogue, say
from storage import applications, findings
from storage.applications import Applicant

HOUSE = "house"
BY_HOUSE = "by_house"
NOT_LISTED = "not_listed"
HOUSE_REASONS = frozenset({BY_HOUSE, NOT_LISTED, "left"})
"""Suspensions that no source's word lifts: only whoever operates the lounge, or its list."""


async def place(
    connection: AsyncConnection,
    keys: Keys,
    doctor_id: str,
    state: str,
    reason: str | None,
    *,
    by: str,
    now: int,
    valid_until: int | None = None,
) -> bool:
    """Write how she stands. False when she stood so already: then nobody is told.

    Only `gate.raise_epoch` comes after it in a transaction, and must when it is True. `by` is a doctor's
    id or a role.
    """
    who = await applications.by_id(connection, doctor_id, hold=True)
    if who is None:
        return False
    await applications.set_state(
        connection, doctor_id, state, reason, now=now, valid_until=valid_until
    )
    if who.state == state:
        return False
    await post(connection, keys.identity, _letter(who, state, reason), now)
    detail = {} if reason is None else {"reason": reason}
    act = f"standing_{state}"
    await account_act(connection, keys, doctor_id, act, now=now, by=by, detail=detail)
    return True


async def word_of_house(connection: AsyncConnection, doctor_id: str, now: int) -> None:
    """The operator knows her: good until a source speaks against her."""
    await findings.drop(connection, doctor_id, REGISTRAR)
    await findings.keep(connection, record_of(doctor_id, house_finding(now)))


def house_finding(now: int) -> Finding:
    return Finding(HOUSE, HOUSE, BOTH, "agrees", "verified_by_house", False, now, strong=True)


def sentence(kind: str, reason: str | None, language: str) -> str:
    """`standing.<reason>` or, with kind `standing.next`, what she can do; empty where there is none."""
    key = f"{kind}.{reason}"
    return say(key, language) if key in catalogue() else ""


def _letter(who: Applicant, state: str, reason: str | None) -> Mail:
    why = (sentence(kind, reason, who.language) for kind in ("standing", "standing.next"))
    return mail_of(f"standing_{state}", who.language, who.email, why="\n\n".join(filter(None, why)))

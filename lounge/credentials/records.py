"""Claims and findings to and from what the store keeps of them."""

from __future__ import annotations

import hashlib
import hmac
from typing import cast

from lounge.credentials.claims import Claim, Finding, Subject, Verdict
from lounge.credentials.validators import core
from lounge.keys import Keyring
from storage.applications import Applicant
from storage.findings import FindingRecord


def claim_of(who: Applicant) -> Claim:
    return Claim(
        doctor_id=who.id,
        email=who.email,
        name=who.name,
        country=who.country,
        region=who.region,
        specialty=who.specialty,
        grade=who.grade,
        body=who.body,
        licence=who.licence,
        email_confirmed=who.email_confirmed is not None,
    )


def finding_of(record: FindingRecord) -> Finding:
    return Finding(
        source=record.source,
        family=record.family,
        covers=frozenset(cast(Subject, word) for word in record.covers.split()),
        verdict=cast(Verdict, record.verdict),
        reason=record.reason,
        public=record.public,
        at=record.at,
        strong=record.strong,
        valid_until=record.valid_until,
    )


def record_of(doctor_id: str, finding: Finding) -> FindingRecord:
    return FindingRecord(
        doctor=doctor_id,
        source=finding.source,
        family=finding.family,
        covers=" ".join(sorted(finding.covers)),
        verdict=finding.verdict,
        reason=finding.reason,
        public=finding.public,
        strong=finding.strong,
        valid_until=finding.valid_until,
        at=finding.at,
    )


def whom_of(keyring: Keyring, email: str) -> bytes:
    """By which an e-mail that somebody vouches for is known once it applies."""
    return hmac.digest(keyring.subkey("voucher"), email.encode(), hashlib.sha256)


def mark_of(keyring: Keyring, body: str, licence: str) -> bytes:
    """By which one licence is known again, also when nobody here knows its number any more."""
    about = f"{body} {core(body, licence)}".encode()
    return hmac.digest(keyring.subkey("licence"), about, hashlib.sha256)

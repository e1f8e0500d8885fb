"""The registrar: she reads documents and says whether they show a doctor. She does nothing else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import astuple

from lounge.credentials.applications import Applications
from lounge.credentials.claims import BOTH, Finding
from lounge.credentials.decision import REGISTRAR
from lounge.credentials.documents import Documents
from lounge.credentials.records import claim_of, record_of
from lounge.doctors import Doctor
from lounge.errors import Code, Refusal
from storage import applications, audit, documents, findings
from storage.applications import Applicant
from storage.database import Database
from storage.documents import DocumentRecord

MOST_LISTED = 200
REFUSALS = ("documents_unreadable", "documents_differ", "not_a_doctor", "not_found")


class Reviews:
    """Every method raises Refusal `forbidden` for whoever is no registrar; some StorageError."""

    def __init__(
        self,
        identity: Database,
        joining: Applications,
        documents: Documents,
        clock: Callable[[], int],
    ) -> None:
        self._identity = identity
        self._joining = joining
        self._documents = documents
        self._clock = clock

    async def waiting(self, registrar: Doctor) -> list[Applicant]:
        """At most 200, who have waited longest first."""
        require_registrar(registrar)
        async with self._identity.reading() as connection:
            return await applications.waiting(connection, MOST_LISTED)

    async def see(
        self, registrar: Doctor, doctor_id: str
    ) -> tuple[Applicant, list[Finding], list[DocumentRecord]]:
        """One application with all that is known. Raises Refusal `not_found`."""
        require_registrar(registrar)
        who, found = await self._joining.see(doctor_id)
        if who.state not in applications.WAITING:  # of others a registrar reads nothing
            raise Refusal(Code.NOT_FOUND, "application.unknown")
        return who, found, await self._documents.listed(doctor_id)

    async def read(self, registrar: Doctor, doctor_id: str, name: str) -> tuple[str, bytes]:
        """A document's media type and content; that she read it is in the audit first."""
        await self.see(registrar, doctor_id)
        async with self._identity.writing() as connection:
            await audit.append(connection, "document_read", by=registrar.id, about=doctor_id)
        return await self._documents.read(doctor_id, name)

    async def decide(
        self, registrar: Doctor, doctor_id: str, verdict: str, reason: str, *, version: str
    ) -> None:
        """`verified`, or `refused` for one of REFUSALS. The documents have served, and go.

        `version_of` what she has seen: of what was changed since she has decided nothing.
        """
        await self.see(registrar, doctor_id)
        if registrar.id == doctor_id:
            raise Refusal(Code.FORBIDDEN, "application.own")
        finding = self._finding(verdict, reason)
        async with self._identity.writing() as connection:
            who = await applications.by_id(connection, doctor_id, hold=True)
            papers = await documents.listed(connection, doctor_id)
            if who is None or not hmac.compare_digest(version_of(who, papers), version):
                raise Refusal(Code.FORBIDDEN, "application.changed")
            await findings.keep(connection, record_of(doctor_id, finding))
            await documents.drop(connection, doctor_id)
            detail = {"verdict": verdict, "reason": finding.reason}
            await audit.append(
                connection, "reviewed", by=registrar.id, about=doctor_id, detail=detail
            )
        await self._joining.examine(doctor_id, by=REGISTRAR)

    def _finding(self, verdict: str, reason: str) -> Finding:
        agrees = verdict == "verified"
        if not agrees and reason not in REFUSALS:
            raise Refusal(Code.INVALID, "application.reason")
        return Finding(
            source=REGISTRAR,
            family=REGISTRAR,
            covers=BOTH,
            verdict="agrees" if agrees else "disagrees",
            reason="registrar_agrees" if agrees else reason,
            public=False,
            at=self._clock(),
            strong=self._joining.preset.house_knows,
        )


def version_of(who: Applicant, papers: Sequence[DocumentRecord]) -> str:
    """Another one once she has changed what she claims or handed in."""
    seen = repr((claim_of(who), [astuple(paper) for paper in papers]))
    return hashlib.sha256(seen.encode()).hexdigest()[:32]


def require_registrar(doctor: Doctor) -> None:
    if not (doctor.verified and "registrar" in doctor.roles):
        raise Refusal(Code.FORBIDDEN, "refusal.not_registrar")

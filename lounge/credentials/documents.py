"""Documents that a doctor hands in: sealed, for a registrar, until she has decided."""

from __future__ import annotations

import re
from collections.abc import Callable

from lounge.credentials.decision import AGAIN, REGISTRAR
from lounge.errors import Code, Refusal
from lounge.keys import Keyring
from storage import applications, documents, findings
from storage.database import Database
from storage.documents import DocumentRecord

__all__ = ["LONGEST_BYTES", "DocumentRecord", "Documents"]

LONGEST_BYTES = 5 * 1024 * 1024
MOST = 5
LONGEST_NAME = 120
_LABEL = "document"
_BEGINNINGS = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
}


class Documents:
    """Every method may raise StorageError."""

    def __init__(self, identity: Database, keyring: Keyring, clock: Callable[[], int]) -> None:
        self._identity = identity
        self._keyring = keyring
        self._clock = clock

    async def listed(self, doctor_id: str) -> list[DocumentRecord]:
        async with self._identity.reading() as connection:
            return await documents.listed(connection, doctor_id)

    async def put(self, doctor_id: str, name: str, media: str, content: bytes) -> None:
        """Keep one, in the place of an earlier one with this name. Raises Refusal."""
        _check(name, media, content)
        record = DocumentRecord(name, media, len(content), self._clock())
        sealed = self._keyring.seal(_LABEL, content, _about(doctor_id, name))
        async with self._identity.writing() as connection:
            if await documents.count_others(connection, doctor_id, name) >= MOST:
                raise Refusal(Code.INVALID, "document.too_many", most=MOST)
            await documents.put(connection, doctor_id, record, sealed)
            await findings.soften(connection, doctor_id, REGISTRAR, AGAIN)  # she looks once more
            await applications.ask_anew(connection, doctor_id, record.at)

    async def read(self, doctor_id: str, name: str) -> tuple[str, bytes]:
        """Its media type and content. Raises Refusal `not_found`."""
        async with self._identity.reading() as connection:
            found = await documents.sealed(connection, doctor_id, name)
        if found is None:
            raise Refusal(Code.NOT_FOUND, "document.unknown")
        media, sealed = found
        return media, self._keyring.unseal(_LABEL, sealed, _about(doctor_id, name))

    async def drop(self, doctor_id: str, name: str) -> None:
        """Raises Refusal `not_found`."""
        async with self._identity.writing() as connection:
            if not await documents.drop(connection, doctor_id, name):
                raise Refusal(Code.NOT_FOUND, "document.unknown")


def _check(name: str, media: str, content: bytes) -> None:
    """What it is shows in how it begins: a registrar's browser opens nothing else."""
    if not 0 < len(name) <= LONGEST_NAME or re.search(r"[\x00-\x1f/\\]", name):
        raise Refusal(Code.INVALID, "document.name", most=LONGEST_NAME)
    begins = _BEGINNINGS.get(media)
    if begins is None or not content.startswith(begins):
        raise Refusal(Code.INVALID, "document.kind")


def _about(doctor_id: str, name: str) -> bytes:
    return f"{doctor_id} {name}".encode()

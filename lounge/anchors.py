"""Where both audits stand, written down outside of them after each row that was added.

Into `LOUNGE_DATA/audit.heads` within a second, and to another house by a signed webhook where one is set:
whoever can write to a database can cut a chain's end off, and cannot take back what was said elsewhere.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import msgspec
import structlog
from standardwebhooks import Webhook

from lounge import audit
from lounge.audit import HEADS, AnchorFault, Link, as_line, read_anchors
from lounge.oncall.outside import Away, Gone, Outside
from storage.database import Database

log = structlog.get_logger()

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


class HeadTold(msgspec.Struct, frozen=True):
    """An audit's head: of the identity or the lounge store, its last row and that row's hash."""

    store: str
    seq: int
    hash: str


class _Sent(msgspec.Struct, frozen=True):
    type: str
    timestamp: str
    data: HeadTold


class Anchors:
    """Notes heads as they move. What is wrong with that stands in `warnings`, for `/readyz`."""

    def __init__(
        self,
        identity: Database,
        lounge: Database,
        folder: Path,
        *,
        url: str | None = None,
        secrets: Iterable[str] = (),
        outside: Outside | None = None,
    ) -> None:
        """`secrets` in base64, the newest first: that one signs."""
        self._identity = identity
        self._lounge = lounge
        self._path = folder / HEADS
        self._url = url
        self._hooks = [Webhook(secret) for secret in secrets]
        self._outside = outside or Outside()
        self._noted: dict[str, Link] | None = None
        self._due: dict[str, Link] = {}
        self._wait = FIRST_WAIT_SECONDS
        self._not_before = float("-inf")
        self.warnings: dict[str, str] = {}
        self.failures = 0
        """How often the webhook was not taken since this process began."""

    async def note(self) -> None:
        """Write down what moved since it was last called. Raises StorageError, OSError, AnchorFault."""
        if self._noted is None:
            self._noted = await asyncio.to_thread(_newest, self._path)
        for link in await audit.heads(self._identity, self._lounge):
            was = self._noted.get(link.store)
            if was is not None and _is_behind(link, was):
                self._warn(link, was)
            if link != was and link.seq:
                await asyncio.to_thread(_append, self._path, link)
                log.info("audit head", store=link.store, seq=link.seq, hash=link.hash.hex())
                self._noted[link.store] = link
                self._due[link.store] = link

    async def tell(self) -> None:
        """Hand the newest heads over, where there is a webhook; one that is not taken is tried again."""
        if self._url is None or not self._hooks or monotonic() < self._not_before:
            return
        for store, link in list(self._due.items()):
            try:
                await self._post(self._url, link)
            except (Away, Gone) as fault:
                self._put_off(fault)
                return
            if self._due.get(store) == link:
                del self._due[store]
        self._wait = FIRST_WAIT_SECONDS
        self.warnings.pop("audit webhook", None)

    async def close(self) -> None:
        await self._outside.close()

    async def _post(self, url: str, link: Link) -> None:
        """Its id is the head's, however often and by whichever process it is told."""
        now, digest = datetime.now(UTC), link.hash.hex()
        body = msgspec.json.encode(
            _Sent("audit.head", now.isoformat(), HeadTold(link.store, link.seq, digest))
        )
        id = f"{link.store}-{link.seq}-{digest[:16]}"
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._hooks[0].sign(id, now, body.decode()),
        }
        await self._outside.post(url, body, headers)

    def _put_off(self, fault: Exception) -> None:
        self.failures += 1
        self.warnings["audit webhook"] = str(fault)
        log.warning("audit head not handed over", fault=str(fault), failures=self.failures)
        self._not_before = monotonic() + self._wait
        self._wait = min(2 * self._wait, LONGEST_WAIT_SECONDS)

    def _warn(self, link: Link, was: Link) -> None:
        """It stays until this process ends: `lounge audit verify` says the row."""
        name = f"audit of {link.store}"
        if name not in self.warnings:
            log.critical("audit is not as noted", store=link.store, seq=link.seq, noted=was.seq)
        self.warnings[name] = "not as it was noted"


def _is_behind(link: Link, was: Link) -> bool:
    return link.seq < was.seq or (link.seq == was.seq and link.hash != was.hash)


def _newest(path: Path) -> dict[str, Link]:
    """Of each store the furthest that is written down, before any head is read."""
    found = read_anchors(path) if path.exists() else []
    return {link.store: link for link in sorted(found, key=lambda each: each.seq)}


def _append(path: Path, link: Link) -> None:
    """Processes that share the folder write it once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = as_line(link)
    with path.open("a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
        if not any(each.startswith(line) for each in file.read().splitlines()):
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            file.write(f"{line} {now}\n")


_TAIL_BYTES = 4_096
__all__ = ["AnchorFault", "Anchors", "HeadTold"]

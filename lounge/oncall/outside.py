"""Handing something to another house over HTTP: a push service, a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx2

from lounge.credentials.trust import trust

PATIENCE_SECONDS = 5.0
_GONE = (404, 410, 422)


class Gone(Exception):  # noqa: N818 - an answer, not a fault
    """There is nobody at that address any more, and there will not be."""


class Away(Exception):  # noqa: N818
    """It was not taken this time. Only the kind of fault is told: an address may be in its words."""


class Outside:
    """Posts, never follows a redirect, and reads nothing of the answer but its status."""

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience = patience_seconds
        self._client: httpx2.AsyncClient | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Taken, once this returns. Raises Gone, Away."""
        try:
            async with asyncio.timeout(self._patience):
                status = await self._status(url, body, headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as fault:
            raise Away(type(fault).__name__) from None
        if status in _GONE:
            raise Gone(str(status))
        if not 200 <= status < 300:
            raise Away(str(status))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _status(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                verify=trust(), timeout=self._patience, follow_redirects=False
            )
        sending = self._client.stream("POST", url, content=body, headers=dict(headers))
        async with sending as answer:
            return int(answer.status_code)

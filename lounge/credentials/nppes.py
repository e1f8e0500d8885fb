"""The public NPI registry, asked over the network: off unless the operator turns it on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import msgspec

from lounge.clock import now_ms
from lounge.credentials.claims import Claim, Finding
from lounge.credentials.folding import as_kept
from lounge.credentials.layouts import LAPSED, OTHER, physician
from lounge.credentials.registers import AWAY, finding, judged
from lounge.credentials.trust import trust
from storage.registers import Entry

URL = "https://npiregistry.cms.hhs.gov/api/"
TIMEOUT_SECONDS = 5.0
BODY = "us.npi"


class Nppes:
    """The source `nppes`. Only the NPI itself leaves the house: never a name."""

    name = "nppes"

    def __init__(
        self,
        url: str = URL,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._url = url
        self._timeout = timeout_seconds
        self._clock = clock

    async def examine(self, claim: Claim) -> Finding | None:
        """None for other licences than NPIs; `away` when the registry does not answer as published."""
        if claim.body != BODY or claim.licence is None:
            return None
        now = self._clock()
        try:
            entry = _entry(await self._asked(claim.licence), claim.licence)
        except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.DecodeError, _Strange):
            return finding(self.name, BODY, ("away", AWAY), None, now)
        return finding(self.name, BODY, judged(claim.name, entry, now), entry, now)

    async def _asked(self, number: str) -> Any:
        async with httpx2.AsyncClient(timeout=self._timeout, verify=trust()) as client:
            answer = await client.get(self._url, params={"version": "2.1", "number": number})
        answer.raise_for_status()
        return msgspec.json.decode(answer.content)


class _Strange(Exception):  # noqa: N818
    """An answer of another form than the published one."""


def _entry(told: Any, number: str) -> Entry | None:
    """The registry's answer as a register's entry; None when it knows no such number."""
    try:
        results = told["results"]
        matching = [each for each in results if str(each["number"]) == number]
        return _one(matching[0]) if matching else None
    except (KeyError, TypeError, AttributeError):
        raise _Strange from None


def _one(told: Mapping[str, Any]) -> Entry:
    basic = told["basic"]
    if basic.get("status", "A") != "A":
        return Entry(None, LAPSED, None)
    if told["enumeration_type"] != "NPI-1":
        return Entry(None, OTHER, None)
    given = f"{basic.get('first_name', '')} {basic.get('middle_name', '')}"
    others = (
        (each.get("last_name", ""), each.get("first_name", "") or given)
        for each in told.get("other_names", [])
    )
    names = as_kept((basic["last_name"], given), *others)
    return Entry(names, physician([each["code"] for each in told["taxonomies"]]), None)

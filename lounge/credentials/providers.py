"""Other houses whose sign-in is believed (OpenID Connect), and how each names what we ask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from lounge.credentials.claims import BOTH, LICENCE, PERSON, Subject
from lounge.credentials.validators import BODIES, normalised
from lounge.credentials.verification import VerificationFileError
from lounge.errors import Refusal
from lounge.titles import Title

HOUR_MS = 3_600_000
_NAME = re.compile(r"[a-z0-9-]{1,30}")


class Told(Struct, frozen=True):
    """What a provider said of one person, as our words name it."""

    subject: str
    name: str
    meets: bool
    """Everything that the provider's `require` asks for is there."""
    licence: str | None = None
    email: str | None = None
    """Only where the provider says that it has checked it."""


@dataclass(frozen=True, slots=True, repr=False)
class Provider:
    """One table of the verification file. `claims` and `require` name claims by path.

    `strong`: its word is enough. `by_email`: a confirmed e-mail of ours is the same person there.
    """

    name: str
    title: Title
    issuer: str
    client_id: str
    secret: str | None
    scopes: tuple[str, ...]
    acr_values: str | None
    claims: Mapping[str, Sequence[str]]
    require: Mapping[str, Sequence[str]]
    covers: frozenset[Subject]
    strong: bool
    by_email: bool
    body: str | None
    licence: re.Pattern[str] | None
    """What of the claim is the number, in its first group."""
    recheck_ms: int

    def told(self, said: Mapping[str, Any]) -> Told:
        """From the claims of a checked ID token and of the user's page."""
        return Told(
            subject=str(said["sub"]),
            name=" ".join(filter(None, (_first(said, path) for path in self.claims["name"]))),
            meets=all(self._meets(said, path, values) for path, values in self.require.items()),
            licence=self._number(said),
            email=_first(said, "email").strip().lower() or None
            if said.get("email_verified") in (True, "true")
            else None,
        )

    def _meets(self, said: Mapping[str, Any], path: str, values: Sequence[str]) -> bool:
        return any(str(each) in values for each in _found(said, path))

    def _number(self, said: Mapping[str, Any]) -> str | None:
        for path in self.claims.get("licence", ()):
            for value in _found(said, path):
                number = self._normalised(str(value))
                if number is not None:
                    return number
        return None

    def _normalised(self, value: str) -> str | None:
        if self.licence is not None:
            match = self.licence.fullmatch(value.strip())
            if match is None:
                return None
            value = match[1]
        try:
            return normalised(self.body or "", value)
        except Refusal:
            return None


def read_providers(tables: Iterable[Mapping[str, object]]) -> tuple[Provider, ...]:
    """The providers of the verification file. Raises VerificationFileError."""
    providers = tuple(_provider(table) for table in tables)
    names = [provider.name for provider in providers]
    if len(names) != len(set(names)):
        raise VerificationFileError("two [[oidc]] tables have the same name")
    return providers


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    issuer: str
    client_id: str
    title: str | dict[str, str] | None = None
    client_secret: str | None = None
    client_secret_file: str | None = None
    scopes: tuple[str, ...] = ("openid", "profile")
    acr_values: str | None = None
    claims: dict[str, str | list[str]] = {}
    require: dict[str, list[str]] = {}
    covers: tuple[Subject, ...] = ("person", "licence")
    strong: bool = False
    by_email: bool = False
    body: str | None = None
    licence_pattern: str | None = None
    recheck_hours: int = 24


def _provider(given: Mapping[str, object]) -> Provider:
    try:
        table = msgspec.convert(given, _Table)
        pattern = None if table.licence_pattern is None else re.compile(table.licence_pattern)
    except (msgspec.ValidationError, re.error) as fault:
        raise VerificationFileError(f"[[oidc]] {given.get('name', '')}: {fault}") from None
    claims = {"name": ["name"], **{part: _list(named) for part, named in table.claims.items()}}
    _check(table, claims, pattern)
    return Provider(
        name=table.name,
        title=_title(table),
        issuer=table.issuer.rstrip("/"),
        client_id=table.client_id,
        secret=_secret(table),
        scopes=tuple(dict.fromkeys(["openid", *table.scopes])),
        acr_values=table.acr_values,
        claims=claims,
        require=table.require,
        covers=BOTH if len(table.covers) == 2 else frozenset(table.covers),
        strong=table.strong,
        by_email=table.by_email,
        body=table.body,
        licence=pattern,
        recheck_ms=table.recheck_hours * HOUR_MS,
    )


def _check(table: _Table, claims: Mapping[str, object], pattern: re.Pattern[str] | None) -> None:
    """Raises VerificationFileError with the first thing that cannot be followed."""
    proves = "licence" in claims or bool(table.require)
    for is_wrong, why in (
        (not _NAME.fullmatch(table.name), "name: small letters, digits and hyphens"),
        (not _is_safe(table.issuer), "issuer must begin with https://"),
        (set(claims) - {"name", "licence"}, "claims may be name and licence"),
        ("licence" in claims and table.body not in BODIES, "body must be a licensing body's id"),
        (pattern is not None and pattern.groups != 1, "licence_pattern has one group, the number"),
        (
            "licence" in table.covers and not proves,
            "who covers licences must require a profession, or map a licence: anybody may sign in",
        ),
        (table.strong and set(table.covers) != BOTH, "only who covers both is strong"),
        (not table.covers, f"covers: {', '.join(sorted(PERSON | LICENCE))}"),
        (table.recheck_hours < 1, "recheck_hours is at least 1"),
    ):
        if is_wrong:
            raise VerificationFileError(f"[[oidc]] {table.name}: {why}")


def _is_safe(issuer: str) -> bool:
    """Plain http only to this machine, for trying it out."""
    where = urlsplit(issuer)
    return where.scheme == "https" or where.hostname in ("localhost", "127.0.0.1")


def _title(table: _Table) -> Title:
    said = table.title or table.name
    if isinstance(said, str):
        return Title(said, said)
    default = next(iter(said.values()), table.name)
    return Title(said.get("en", default), said.get("fr", default))


def _secret(table: _Table) -> str | None:
    if table.client_secret_file is None:
        return table.client_secret
    try:
        return Path(table.client_secret_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise VerificationFileError(
            f"[[oidc]] {table.name}: client_secret_file cannot be read: {type(fault).__name__}"
        ) from None


def _list(named: str | list[str]) -> list[str]:
    return [named] if isinstance(named, str) else named


def _first(said: Mapping[str, Any], path: str) -> str:
    return next((str(each) for each in _found(said, path)), "")


def _found(said: Any, path: str) -> list[Any]:
    """Every value at `a.b.c`; a list on the way, or at the end, stands for each of its items."""
    found = [said]
    for step in path.split("."):
        found = [each[step] for each in found if isinstance(each, Mapping) and step in each]
        found = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return [each for each in found if each not in (None, "") and not isinstance(each, dict | list)]

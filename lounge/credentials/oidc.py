"""OpenID Connect with one provider: where to send the browser, and what came back, checked.

Code flow with PKCE (RFC 7636, S256), state and nonce (OpenID Connect Core 3.1). Protocol and signatures
are authlib's and joserfc's.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from authlib.integrations.base_client.errors import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.httpx_client import AsyncOAuth2Client  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from msgspec import Struct

from lounge.credentials.providers import Provider, Told
from lounge.credentials.trust import trust

TIMEOUT_SECONDS = 8.0
KNOWN_SECONDS = 3600.0
LEEWAY_SECONDS = 60
_NO = ("invalid_grant", "access_denied", "login_required", "interaction_required")
_SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")


class Away(Exception):  # noqa: N818
    """The provider does not answer, or not as the standard says."""


class Denied(Exception):  # noqa: N818
    """The provider, or what it sent, says no."""


class Errand(Struct, frozen=True):
    """What this browser must bring back; kept in it, sealed. `kind`: of the session it asked for."""

    provider: str
    state: str
    nonce: str
    verifier: str
    doctor: str | None
    kind: str
    until: int


class Answer(Struct, frozen=True):
    """What was told, and the token to ask again with.

    `once`: claims that were required and stood only in the ID token, which comes but once.
    """

    told: Told
    refresh: str | None
    once: dict[str, Any] = {}


class Oidc:
    """One provider. What it publishes of itself is asked once an hour."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._clock = clock
        self._known: Mapping[str, Any] = {}
        self._keys: KeySet | None = None
        self._known_until = 0.0

    async def start(self, errand: Errand, back: str) -> str:
        """The address to send the browser to; it comes back to `back`. Raises Away."""
        known = await self._metadata()
        async with self._client(redirect_uri=back) as client:
            extra = {"acr_values": self.provider.acr_values} if self.provider.acr_values else {}
            url, _ = client.create_authorization_url(
                known["authorization_endpoint"],
                state=errand.state,
                nonce=errand.nonce,
                code_verifier=errand.verifier,
                **extra,
            )
            return str(url)

    async def arrive(self, errand: Errand, code: str, back: str) -> Answer:
        """Who has signed in there. Raises Away, Denied."""
        known = await self._metadata()
        async with self._client(redirect_uri=back) as client:
            token = await client.fetch_token(
                known["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                code_verifier=errand.verifier,
            )
            said = await self._checked(token, errand.nonce)
            page = await self._page(client, str(said["sub"]))
        return Answer(
            self.provider.told({**page, **said}),
            token.get("refresh_token"),
            {top: said[top] for top in self._required() if top in said and top not in page},
        )

    async def again(self, before: Answer) -> Answer:
        """What is said of the same person now. Raises Away, or Denied when she is no longer known."""
        known = await self._metadata()
        async with self._client() as client:
            token = await client.refresh_token(
                known["token_endpoint"], refresh_token=before.refresh
            )
            said = await self._said_again(token)
            if said.get("sub", before.told.subject) != before.told.subject:
                raise Denied("a token of somebody else")
            page = await self._page(client, before.told.subject)
        told = {**before.once, **page, **said, "sub": before.told.subject}
        refresh = token.get("refresh_token") or before.refresh
        return Answer(self.provider.told(told), refresh, before.once)

    async def _said_again(self, token: Mapping[str, Any]) -> dict[str, Any]:
        """A signature that is wrong says nothing of her."""
        try:
            return await self._checked(token, None) if "id_token" in token else {}
        except JoseError as fault:
            raise Away(fault.error) from None

    def _required(self) -> set[str]:
        return {path.partition(".")[0] for path in self.provider.require}

    async def _checked(self, token: Mapping[str, Any], nonce: str | None) -> dict[str, Any]:
        """The claims of the ID token: signed by this issuer, for us, for this errand, not too old."""
        if "id_token" not in token:
            raise Denied("no ID token")
        decoded = await self._decoded(token["id_token"])
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": self._known["issuer"]},
                "aud": {"essential": True, "value": self.provider.client_id},
            },
            {
                "nonce": nonce,
                "client_id": self.provider.client_id,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(leeway=LEEWAY_SECONDS)
        return dict(claims)

    async def _decoded(self, id_token: str) -> jwt.Token:
        offered = self._known.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(
            algorithms=[each for each in offered if each in _SIGNED_BY], strict_check_header=False
        )
        try:
            return jwt.decode(id_token, await self._key_set(), registry=registry)
        except InvalidKeyIdError:  # it has a new key since
            self._keys = None
            return jwt.decode(id_token, await self._key_set(), registry=registry)

    async def _page(self, client: AsyncOAuth2Client, subject: str) -> dict[str, Any]:
        """The user's page, if there is one; it must be of the same person (Core 5.3.2)."""
        if "userinfo_endpoint" not in self._known:
            return {}
        answer = await client.get(self._known["userinfo_endpoint"])
        if answer.status_code in (401, 403):
            raise Denied("no user page")
        answer.raise_for_status()
        page = answer.json()
        if not isinstance(page, dict) or str(page.get("sub")) != subject:
            raise Denied("a page of somebody else")
        return page

    async def _metadata(self) -> Mapping[str, Any]:
        if self._clock() >= self._known_until:
            async with self._client() as client:
                address = f"{self.provider.issuer}/.well-known/openid-configuration"
                known = _object(await client.request("GET", address, withhold_token=True))
            if str(known.get("issuer", "")).rstrip("/") != self.provider.issuer:
                raise Away("it calls itself by another name")
            self._known, self._keys = known, None
            self._known_until = self._clock() + KNOWN_SECONDS
        return self._known

    async def _key_set(self) -> KeySet:
        if self._keys is None:
            async with self._client() as client:
                address = self._known["jwks_uri"]
                told = _object(await client.request("GET", address, withhold_token=True))
            self._keys = KeySet.import_key_set(told)  # type: ignore[arg-type]
        return self._keys

    @asynccontextmanager
    async def _client(self, **other: Any) -> AsyncIterator[AsyncOAuth2Client]:
        """Whatever goes wrong in the block is Away or Denied."""
        try:
            async with AsyncOAuth2Client(
                self.provider.client_id,
                self.provider.secret,
                scope=" ".join(self.provider.scopes),
                code_challenge_method="S256",
                timeout=TIMEOUT_SECONDS,
                verify=trust(),
                follow_redirects=False,
                **other,
            ) as client:
                yield client
        except OAuthError as fault:
            raise (Denied if fault.error in _NO else Away)(fault.error) from None
        except JoseError as fault:
            raise Denied(fault.error) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError) as fault:
            raise Away(type(fault).__name__) from None


def errand_for(provider: str, doctor: str | None, kind: str, until: int) -> Errand:
    """Three secrets that nobody has seen: 256 bits each."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Errand(provider, state, nonce, verifier, doctor, kind, until)


def _object(answer: httpx2.Response) -> dict[str, Any]:
    answer.raise_for_status()
    told = answer.json()
    if not isinstance(told, dict):
        raise ValueError("not an object")
    return told

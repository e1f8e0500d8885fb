"""An authenticator in software: keeps passkeys, verifies its user, and counts, as real ones do."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

_PRESENT, _VERIFIED, _ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Held:
    """One passkey inside."""

    id: bytes
    key: ec.EllipticCurvePrivateKey
    host: str
    owner: bytes
    count: int = 0


@dataclass
class Authenticator:
    """What a browser on `origin` hands to it. `verifies`: it asks for a finger or a PIN."""

    origin: str
    verifies: bool = True
    held: list[Held] = field(default_factory=list)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """As `navigator.credentials.create`, and `toJSON` of that."""
        key = ec.generate_private_key(ec.SECP256R1())
        owner = base64url_to_bytes(options["user"]["id"])
        held = Held(secrets.token_bytes(32), key, options["rp"]["id"], owner)
        self.held.append(held)
        point = key.public_key().public_numbers()
        public = {
            1: 2,
            3: -7,
            -1: 1,
            -2: point.x.to_bytes(32, "big"),
            -3: point.y.to_bytes(32, "big"),
        }
        attested = bytes(16) + len(held.id).to_bytes(2, "big") + held.id + cbor2.dumps(public)
        data = self._data(held, _ATTESTED) + attested
        attestation = {"fmt": "none", "attStmt": {}, "authData": data}
        client = self._client("webauthn.create", options["challenge"])
        return _credential(held, clientDataJSON=client, attestationObject=cbor2.dumps(attestation))

    def get(self, options: dict[str, Any], held: Held | None = None) -> dict[str, Any]:
        """As `navigator.credentials.get`: with this passkey, or the newest."""
        held = held or self.held[-1]
        held.count += 1
        data = self._data(held)
        client = self._client("webauthn.get", options["challenge"])
        signed = held.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return _credential(
            held,
            clientDataJSON=client,
            authenticatorData=data,
            signature=signed,
            userHandle=held.owner,
        )

    def _data(self, held: Held, flags: int = 0) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verifies else 0)
        return (
            hashlib.sha256(held.host.encode()).digest()
            + bytes([flags])
            + held.count.to_bytes(4, "big")
        )

    def _client(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()


def _credential(held: Held, **response: bytes) -> dict[str, Any]:
    id = bytes_to_base64url(held.id)
    return {
        "id": id,
        "rawId": id,
        "type": "public-key",
        "clientExtensionResults": {},
        "response": {name: bytes_to_base64url(value) for name, value in response.items()},
    }

"""Web Push: encrypted to one browser (RFC 8291), signed as from this house (RFC 8292).

Only the push services that the house allows are ever connected to: whoever subscribes chooses the address.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from lounge.errors import Code, Refusal
from lounge.keys import Keyring
from lounge.oncall.calls import Address, Call, Delivery
from lounge.oncall.outside import Outside
from lounge.words import say

if TYPE_CHECKING:
    from webpush import WebPush

KEPT_SECONDS = 3600
"""So long a push service keeps what it cannot deliver."""
SIGNED_SECONDS = 12 * 3600
_POINT_BYTES, _AUTH_BYTES = 65, 16
_PADDED_TO = 1024
_LOOPBACK = ("127.0.0.1", "localhost")


class Payload(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a service worker is told: words to show, and which page is meant, by a name that says nothing."""

    kind: str
    room: str
    title: str
    body: str
    urgency: str | None = None
    code: str | None = None
    formal: bool = False
    accept: str | None = None
    decline: str | None = None


class Push:
    """Sends to browsers. One key for ever, made from the key file: another would lose all that subscribed."""

    def __init__(
        self, keyring: Keyring, hosts: Sequence[str], sender: str, outside: Outside
    ) -> None:
        """`hosts` are names of push services, with a leading dot all below one; `sender` an e-mail."""
        self._pair = ECKey.derive_key(keyring.subkey("vapid"), "P-256")
        self._hosts = tuple(host.lower() for host in hosts)
        self._sender = sender
        self._outside = outside

    @property
    def key(self) -> str:
        """What a browser subscribes with: the public point, in base64url."""
        public = self._pair.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(public).rstrip(b"=").decode()

    def checked(self, address: Address) -> Address:
        """One that may be sent to. Raises Refusal `invalid` for another house, or keys that are none."""
        if not self.allows(address.to):
            raise Refusal(Code.INVALID, "refusal.reach_push_host", field="address")
        try:
            point = _decoded(address.p256dh, _POINT_BYTES)
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
            _decoded(address.auth, _AUTH_BYTES)
        except ValueError:
            raise Refusal(Code.INVALID, "refusal.reach_push_keys", field="keys") from None
        return address

    def allows(self, url: str) -> bool:
        """Whether this is an address of a push service that the house allows: https, on its usual port."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if not url.isascii() or "\\" in url or parts.username is not None or parts.fragment:
            return False
        if not any(_is_within(host, allowed) for allowed in self._hosts):
            return False
        if host in _LOOPBACK:
            return parts.scheme in ("http", "https")
        return parts.scheme == "https" and port in (None, 443)

    async def send(self, delivery: Delivery) -> None:
        """Raises Gone, Away."""
        from webpush.types import WebPushKeys, WebPushSubscription

        address = delivery.address
        keys = WebPushKeys(auth=address.auth, p256dh=address.p256dh)
        to = WebPushSubscription(endpoint=address.to, keys=keys)
        message = self._sealing.get(payload_of(delivery), to)
        headers = {
            **message.headers,
            "content-type": "application/octet-stream",
            "topic": delivery.subject,  # what was not delivered yet is replaced by this
            "urgency": _urgency(delivery.call),
        }
        await self._outside.post(address.to, message.encrypted, headers)

    @cached_property
    def _sealing(self) -> WebPush:
        """Imported with the first message: it brings pydantic, which nothing else here needs."""
        from webpush import WebPush

        private, public = self._pair.as_pem(private=True), self._pair.as_pem(private=False)
        return WebPush(private, public, self._sender, KEPT_SECONDS, SIGNED_SECONDS)


def payload_of(delivery: Delivery) -> bytes:
    """JSON, always as long: it may end in spaces.

    Where names may be exchanged no button accepts: whether they are is chosen on the page's card.
    """
    call, language = delivery.call, delivery.language
    answers = call.kind in ("page", "ask")
    payload = Payload(
        kind=call.kind,
        room=call.about,
        title=delivery.title,
        body=delivery.text,
        urgency=call.urgency,
        code=call.code,
        formal=call.formal,
        accept=say("alert.accept", language) if answers and not call.formal else None,
        decline=say("alert.decline", language) if answers else None,
    )
    return msgspec.json.encode(payload).ljust(_PADDED_TO)


def _urgency(call: Call) -> str:
    """RFC 8030, 5.3: with less, a phone that is put aside hears of it when it is taken up."""
    return "normal" if call.urgency in ("routine", "today") else "high"


def _is_within(host: str, allowed: str) -> bool:
    return host.endswith(allowed) if allowed.startswith(".") else host == allowed


def _decoded(key: str, size: int) -> bytes:
    try:
        content = base64.b64decode(key + "=" * (-len(key) % 4), altchars=b"-_", validate=True)
    except binascii.Error as fault:
        raise ValueError from fault
    if len(content) != size:
        raise ValueError(len(content))
    return content

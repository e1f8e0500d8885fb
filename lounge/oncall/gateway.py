"""Text messages and telephone calls, by another house's gateway: webhooks both ways, signed.

Signatures, times and ids are those of Standard Webhooks; the secret is a file that both houses hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from standardwebhooks import Webhook, WebhookVerificationError
from standardwebhooks.webhooks import EmptyWebhookSecretError

from lounge.errors import Code, Refusal
from lounge.events import rfc3339
from lounge.keys import KeyFault, secret_lines
from lounge.oncall.calls import Delivery
from lounge.oncall.outside import Away, Outside


class Order(msgspec.Struct, frozen=True):
    """What a gateway is to do: tell `text` to the number `to`, or stop telling what it said before.

    `says` is page, ask, test, or over; `answers`: whether it may be accepted and declined there.
    """

    alert: str
    channel: Literal["sms", "voice"]
    to: str
    says: str
    text: str
    language: str
    answers: bool


class AlertNamed(msgspec.Struct, frozen=True):
    """An alert that a gateway was handed."""

    alert: Annotated[str, Meta(min_length=1, max_length=64)]


class GatewayNews(msgspec.Struct, frozen=True):
    """A gateway's webhook, once its signature is believed."""

    type: Literal["alert.delivered", "alert.accepted", "alert.declined"]
    data: AlertNamed


class _Sent(msgspec.Struct, frozen=True):
    type: Literal["alert"]
    timestamp: str
    data: Order


class Gateway:
    """One gateway, or none: then nobody can be reached by text message or call."""

    def __init__(self, url: str | None, secrets: Sequence[str], outside: Outside) -> None:
        """`secrets` in base64, the newest first: that one signs, and all are believed."""
        self._url = url
        self._hooks = [Webhook(secret) for secret in secrets]
        self._outside = outside

    @property
    def is_set(self) -> bool:
        return self._url is not None and bool(self._hooks)

    async def send(self, delivery: Delivery) -> None:
        """Its id is the alert's and stays so: a gateway does twice handed over once. Raises Gone, Away."""
        if self._url is None or not self._hooks:
            raise Away("no gateway")
        now = datetime.now(UTC)
        body = msgspec.json.encode(_Sent("alert", rfc3339(_ms(now)), _order(delivery)))
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._hooks[0].sign(delivery.id, now, body.decode()),
        }
        await self._outside.post(self._url, body, headers)

    def believed(self, body: bytes, headers: Mapping[str, str]) -> GatewayNews:
        """What it tells us. Raises Refusal: `forbidden` unless signed within five minutes, `invalid`."""
        if not any(_is_signed(hook, body, headers) for hook in self._hooks):
            raise Refusal(Code.FORBIDDEN, "refusal.gateway_signature")
        try:
            return msgspec.json.decode(body, type=GatewayNews)
        except (msgspec.DecodeError, RecursionError):
            raise Refusal(Code.INVALID, "request.invalid") from None


def read_secrets(path: Path | None) -> list[str]:
    """One a line, the newest first, as Standard Webhooks writes them. Raises KeyFault."""
    if path is None:
        return []
    secrets = secret_lines(path, "secret")
    try:
        [Webhook(secret) for secret in secrets]
    except (ValueError, EmptyWebhookSecretError):
        raise KeyFault(f"{path} has a line that is no secret in base64") from None
    if not secrets:
        raise KeyFault(f"{path} holds no secret")
    return secrets


def _is_signed(hook: Webhook, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        hook.verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError):  # not base64, not UTF-8, no comma
        return False
    return True


def _order(delivery: Delivery) -> Order:
    assert delivery.kind in ("sms", "voice")
    return Order(
        alert=delivery.id,
        channel=delivery.kind,
        to=delivery.address.to,
        says=delivery.call.kind,
        text=delivery.text,
        language=delivery.language,
        answers=delivery.call.kind in ("page", "ask"),
    )


def _ms(now: datetime) -> int:
    return int(now.timestamp() * 1000)

"""What an alert says, and where it goes: both lie sealed, and neither names a patient, a case or a role."""

from __future__ import annotations

from typing import Literal

import msgspec

from lounge.events import Urgency
from lounge.keys import Keyring
from lounge.words import say

ReachKind = Literal["open", "push", "mail", "sms", "voice"]
Saying = Literal["page", "ask", "over", "test"]

_CALL = "alert"
_ADDRESS = "reach"
_PADDED_TO = 256  # so that what lies there does not tell by its length what it says


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """`about`: the page's room; of a test the reach, whose `code` its owner tells back.

    `formal`: who asks agrees to a formal consult, so accepting is a choice of two.
    """

    kind: Saying
    about: str
    urgency: Urgency | None = None
    code: str | None = None
    formal: bool = False


class Address(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where one reach leads: `to` is a number, a push service's address or an open page's own name.

    By e-mail it is empty: letters go to the account's address, whichever that is by then.
    """

    to: str = ""
    p256dh: str = ""
    auth: str = ""
    label: str = ""


class Delivery(msgspec.Struct, frozen=True):
    """A call on its way to one address; `id` stays the same however often it is tried.

    `subject` is a word for the page that tells nobody which: all that is about it has the same.
    """

    id: str
    subject: str
    kind: ReachKind
    call: Call
    address: Address
    language: str

    @property
    def title(self) -> str:
        """One line for a locked screen."""
        return say(f"alert.{self.call.kind}", self.language)

    @property
    def text(self) -> str:
        """What there is to know and to do, in a sentence or two."""
        call = self.call
        urgency = say(f"alert.urgency.{call.urgency}", self.language) if call.urgency else ""
        return say(f"alert.{call.kind}.text", self.language, urgency=urgency, code=call.code or "")


def sealed_call(keyring: Keyring, id: str, call: Call) -> bytes:
    """To lie in the row `id` of `alert`."""
    return keyring.seal(_CALL, _padded(call), id.encode())


def call_in(keyring: Keyring, id: str, sealed: bytes) -> Call:
    """Raises KeyFault."""
    return msgspec.json.decode(keyring.unseal(_CALL, sealed, id.encode()), type=Call)


def sealed_address(keyring: Keyring, id: str, address: Address) -> bytes:
    """To lie in the row `id` of `reach`."""
    return keyring.seal(_ADDRESS, _padded(address), id.encode())


def address_in(keyring: Keyring, id: str, sealed: bytes) -> Address:
    """Raises KeyFault."""
    return msgspec.json.decode(keyring.unseal(_ADDRESS, sealed, id.encode()), type=Address)


def _padded(content: Call | Address) -> bytes:
    written = msgspec.json.encode(content)
    return written + b" " * (-len(written) % _PADDED_TO)

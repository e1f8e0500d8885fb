"""Alerts by e-mail: at once, whatever her quiet hours, to her account's address, and with nothing in them."""

from __future__ import annotations

import asyncio

import aiosmtplib

from lounge.mail import Carrier, mail_of
from lounge.oncall.calls import Delivery
from lounge.oncall.outside import Away, Gone

PATIENCE_SECONDS = 10.0
"""Longer than for others: a mail server greets slowly. It holds one place of its own kind."""


class ByMail:
    """One way out among the others."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    async def send(self, delivery: Delivery) -> None:
        """Raises Gone, Away."""
        letter = mail_of(
            "alert",
            delivery.language,
            delivery.address.to,
            title=delivery.title,
            what=delivery.text,
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._carrier.send(letter, delivery.id.encode())
        except aiosmtplib.SMTPRecipientsRefused as fault:
            if all(each.code >= 500 for each in fault.recipients):
                raise Gone(type(fault).__name__) from None
            raise Away(type(fault).__name__) from None
        except (aiosmtplib.SMTPException, OSError, ValueError, TimeoutError) as fault:
            raise Away(type(fault).__name__) from None

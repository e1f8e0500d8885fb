"""A moderator for a served lounge: an account with the role, and a token to come in with."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from lounge.office import open_office
from lounge.settings import from_environment


async def made_moderator(environ: Mapping[str, str]) -> str:
    """Made before the server is started, or beside it."""
    async with open_office(from_environment(environ)) as desk:
        mail = f"moira.{secrets.token_hex(4)}@example.test"
        await desk.doctors.add(
            email=mail,
            name="Dr Moira Canaryfeather",
            country="GB",
            specialty="internal-medicine",
            roles=["moderator"],
            verified=True,
        )
        _, secret = await desk.doctors.add_token(await desk.id_of(mail), "test")
    return secret

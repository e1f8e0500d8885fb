"""Entries before they have a place."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from storage.acts import Draft


def draft(
    kind: str,
    body: Mapping[str, object],
    persona: bytes | None = None,
    target: int | None = None,
) -> Draft:
    """An entry with a random id and salt; its body as JSON."""
    return Draft(
        id=secrets.token_urlsafe(12),
        kind=kind,
        salt=secrets.token_bytes(16),
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        persona=persona,
        target=target,
    )

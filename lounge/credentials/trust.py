"""Whose certificates are believed when other houses are asked: read once, it takes a while."""

from __future__ import annotations

import ssl
from functools import cache

import httpx2


@cache
def trust() -> ssl.SSLContext:
    """As the HTTP client has it by default."""
    return httpx2.create_ssl_context()

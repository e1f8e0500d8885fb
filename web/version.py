"""Which release this is; changes the addresses of the browser's files too."""

from __future__ import annotations

VERSION = "0.1.0"

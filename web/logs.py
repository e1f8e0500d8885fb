"""Logs: one JSON object a line, on stderr. They say what failed and where, never with which words.

A traceback is kept as places only: the text of an exception, and the values of variables, may hold what
a doctor wrote.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

DEPTH = 12
SELDOM_SECONDS = 10.0


def configure() -> None:
    """Ours, and those of the libraries, in the same form."""
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _places_only,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    handler.addFilter(Seldom())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def places(error: BaseException) -> list[str]:
    """Where an exception came through, innermost last: "file:line function"."""
    frames = traceback.extract_tb(error.__traceback__)[-DEPTH:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


class Formatter(logging.Formatter):
    """A library's record: its own constant message, without arguments when it failed."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            line["event"] = record.getMessage()
        else:
            line |= {
                "event": str(record.msg).strip(),
                "fault": type(error).__name__,
                "places": places(error),
            }
        return json.dumps(line, ensure_ascii=False)


class Seldom(logging.Filter):
    """Lets what a library says through once in ten seconds: a client may be able to make it say so."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, line = time.monotonic(), (record.name, str(record.msg))
        self._said = {each: at for each, at in self._said.items() if now - at < SELDOM_SECONDS}
        return self._said.setdefault(line, now) == now


def _places_only(
    _logger: Any, _name: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    info = line.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        line["fault"] = type(error).__name__
        line["places"] = places(error)
    return line

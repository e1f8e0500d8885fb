"""The application as `lounge serve --demo` opens it: with scenes, which no test of a demonstration has."""

from __future__ import annotations

import structlog

from lounge import scenes
from lounge.errors import Refusal, StorageError
from lounge.opening import Lounge
from lounge.settings import Settings
from web import app
from web.app import Application

log = structlog.get_logger()


def build(settings: Settings) -> Application:
    """As `web.app.build`, and the cast have talked before anybody comes."""
    return app.build(settings, begin=_begin)


async def _begin(lounge: Lounge) -> None:
    try:
        await scenes.play(lounge)
    except (Refusal, StorageError) as fault:  # a demonstration without them is one, too
        log.warning("the scenes were not played", fault=type(fault).__name__)

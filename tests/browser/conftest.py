"""A served demonstration, and windows on it that complain about what the browser complains about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.window import Window, options
from tests.support import House, open_house

Opens = Callable[..., Awaitable[Window]]


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    """One lounge for all tests of a file; each test speaks in words of its own."""
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(folder, redis_url, demo=True) as house:
        yield house


@pytest.fixture
async def opens(browser: Browser, house: House) -> AsyncIterator[Opens]:
    """Opens windows: `await opens("ana", "/rooms/world", locale="fr-CA")`; without a name, at the door.

    A script error, a console error or a violation of the content security policy fails the test.
    """
    windows: list[Window] = []

    async def open_window(name: str | None = None, path: str = "/", **other: object) -> Window:
        context = await browser.new_context(**options(**other))
        window = Window(await context.new_page(), house.url)
        windows.append(window)
        if name:
            await window.signs_in(name, path)
        return window

    yield open_window
    for window in windows:
        await window.context.close()
    assert [trouble for window in windows for trouble in window.troubles] == []

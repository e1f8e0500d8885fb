"""The line between one page and the server, in the hands of a test: it can hold, drop and answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.async_api import Page, WebSocketRoute

Frame = dict[str, Any]
Rule = Callable[[Frame], Frame | None]


class Line:
    """Passes every frame on, unless a rule makes another of it, or None of it."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []
        self.heard: list[Frame] = []
        self.opened = 0
        self.outward: Rule = lambda frame: frame
        self.inward: Rule = lambda frame: frame
        self._page: WebSocketRoute | None = None
        self._server: WebSocketRoute | None = None

    @classmethod
    async def of(cls, page: Page) -> Line:
        """Must be laid before the page is loaded."""
        line = cls()
        await page.route_web_socket("**/ws", line._connect)
        return line

    def passes(self) -> None:
        """From here on everything gets through again."""
        self.outward = self.inward = lambda frame: frame

    def answers(self, frame: Frame) -> None:
        """Tell the page something as if the server had."""
        assert self._page
        self._page.send(json.dumps(frame))

    async def breaks(self, code: int = 4012) -> None:
        """Close the page's socket, and the server's."""
        assert self._page
        assert self._server
        await self._server.close()
        await self._page.close(code=code)

    def commands(self, op: str) -> list[Frame]:
        """What the page asked for by this op."""
        return [frame for frame in self.sent if frame["op"] == op]

    def _connect(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()
        self.opened += 1
        self._page, self._server = page, server

        def out(data: str | bytes) -> None:
            frame = json.loads(data)
            self.sent.append(frame)
            if (left := self.outward(frame)) is not None:
                server.send(json.dumps(left))

        def back(data: str | bytes) -> None:
            frame = json.loads(data)
            self.heard.append(frame)
            if (left := self.inward(frame)) is not None:
                page.send(json.dumps(left))

        page.on_message(out)
        server.on_message(back)

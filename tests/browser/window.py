"""A doctor's window on the lounge, told in what the doctor does and sees."""

from __future__ import annotations

from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, expect

PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
CAST = {
    "ana": "cardiologist",
    "ben": "emergency-physician",
    "chiara": "neurologist",
    "denis": "family-doctor",
    "moira": "moderator",
    "dan": "not-verified",
}
# The browser itself writes these when somebody is not signed in, or the network is gone.
_EXPECTED = (
    "the server responded with a status of 401",
    "HTTP Authentication failed; no valid credentials available",
    "net::ERR_INTERNET_DISCONNECTED",
    "WebSocket is already in CLOSING or CLOSED state.",  # said by a line that a test has broken
)


class Window:
    """One page of one doctor. Everything waits for what it names; nothing sleeps."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.troubles: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))

    # -- going --------------------------------------------------------------------------------

    async def goes(self, path: str = "/") -> None:
        """Load an address."""
        await self.page.goto(self.url + path)

    async def signs_in(self, name: str, path: str = "/") -> None:
        """Come in as one of the cast, to `path`. (The door itself has tests of its own.)"""
        origin = {"origin": self.url}
        entry = await self.context.request.post(
            f"{self.url}/api/demo", data={"id": CAST[name]}, headers=origin
        )
        assert entry.ok, await entry.text()
        await self.goes(path)
        inside = "waiting-page .missing li" if name == "dan" else "room-list a"
        await self.page.locator(inside).first.wait_for(state="attached")

    async def enters(self, room: str) -> None:
        """Load a room's address and wait until it is live."""
        await self.goes(f"/rooms/{room}")
        await self.is_live()

    async def is_live(self) -> None:
        """Wait until the open room follows what happens."""
        await self.page.locator('room-view[data-state="live"]').wait_for()

    # -- speaking -----------------------------------------------------------------------------

    @property
    def field(self) -> Locator:
        """Where one writes."""
        return self.page.locator("#write")

    async def writes(self, text: str) -> None:
        """Type into the composer without sending."""
        await self.field.fill(text)

    async def sends(self, text: str) -> None:
        """Type and press Enter."""
        await self.writes(text)
        await self.field.press("Enter")

    async def says(self, text: str) -> None:
        """Send and wait until it stands in the log as stored."""
        await self.sends(text)
        await self.sees(text)
        await expect(self.unsent(text)).to_have_count(0)

    # -- seeing -------------------------------------------------------------------------------

    def stored(self, text: str) -> Locator:
        """Rows of the log that hold this text and are stored."""
        return self.page.locator(".rows .row", has_text=text)

    def unsent(self, text: str) -> Locator:
        """Rows that hold this text and are not known to be stored."""
        return self.page.locator(".unsent .row", has_text=text)

    async def sees(self, text: str) -> Locator:
        """Wait for exactly one stored row with this text."""
        row = self.stored(text)
        await expect(row).to_have_count(1)
        return row

    async def seqs(self) -> list[int]:
        """The seqs of all rows in the page, from top to bottom."""
        script = "rows => rows.map(row => Number(row.dataset.seq))"
        found: list[int] = await self.page.locator(".rows .row").evaluate_all(script)
        return found

    def listed(self, room: str) -> Locator:
        """The room's row in the list on the left."""
        return self.page.locator(f'room-list a[href="/rooms/{room}"]')

    # -- doing something with a message -------------------------------------------------------

    async def presses_on(self, row: Locator, key: str) -> None:
        """Focus a row and press a key on it."""
        await row.focus()
        await self.page.keyboard.press(key)

    async def chooses(self, row: Locator, act: str) -> None:
        """Open a row's menu and take an entry of it."""
        await self.presses_on(row, "m")
        await self.page.locator(f"dialog.menu .menu-act.{act}").click()

    async def agrees(self, kind: str | None = None) -> None:
        """Answer the open question with yes, after choosing a reason."""
        dialog = self.page.locator("dialog.ask-about")
        if kind:
            await dialog.locator(f'input[value="{kind}"]').check()
        await dialog.locator('button[type="submit"]').click()
        await dialog.wait_for(state="detached")

    async def moderates(self, act: str, reason: str | None = None) -> None:
        """In the open dialog of a moderator's acts: choose one, and why, and do it."""
        dialog = self.page.locator("dialog.acts")
        await dialog.locator(f'input[name="act"][value="{act}"]').check()
        if reason:
            await dialog.locator(f'input[name="reason"][value="{reason}"]').check()
        await dialog.locator('button[type="submit"]').click()
        await dialog.wait_for(state="detached")

    # -- the network --------------------------------------------------------------------------

    async def loses_network(self) -> None:
        """Cut everything off, the open socket too."""
        await self.context.set_offline(True)

    async def regains_network(self) -> None:
        await self.context.set_offline(False)

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(part in message.text for part in _EXPECTED):
            self.troubles.append(f"{message.text} ({message.location['url']})")


def options(**other: Any) -> dict[str, Any]:
    """How a context is made unless a test says otherwise: English, light, wide, without service workers."""
    wide = {"width": 1280, "height": 800}
    plain = {"color_scheme": "light", "viewport": wide, "service_workers": "block"}
    return {"locale": "en-CA", **plain, **other}

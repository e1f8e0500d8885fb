"""A moderator mutes whoever wrote a message; the author reads why and until when."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opens

WORLD = "/rooms/world"


@pytest.mark.long
async def test_a_moderator_mutes_an_author_who_is_told_and_stays(opens: Opens) -> None:
    ana, moira = await opens("ana", WORLD), await opens("moira", WORLD)
    await moira.is_live()
    await ana.says("You are all fools here")
    await moira.chooses(await moira.sees("You are all fools here"), "moderate")
    dialog = moira.page.locator("dialog.acts")
    await dialog.get_by_label("Mute").check()
    await expect(dialog).to_contain_text("you do not learn who it is")
    await dialog.get_by_label("For how long?").select_option("A week")
    await moira.moderates("mute", "harassment")
    await ana.sends("And you know it")
    await expect(ana.page.locator("room-view")).to_contain_text(
        "You can read here but not write until"
    )
    await ana.enters("me")
    await expect(ana.page.locator(".row.notice-card").last).to_contain_text(
        "Because of a message of yours in World"
    )
    await ana.enters("world")
    await moira.says("Let us go on, kindly")
    await ana.sees("Let us go on, kindly")
    await moira.goes("/moderation#sanctions")
    await moira.page.get_by_role("button", name="Lift").click()
    await expect(moira.page.get_by_role("button", name="Lift")).to_have_count(0)
    await ana.says("I will")

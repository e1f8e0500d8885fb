"""At the door: who gets in, and what everybody else is answered."""

from __future__ import annotations

import pytest

from tests.hostile.attack import COOKIE, cookie_of, status
from tests.hostile.crowd import ROOM
from tests.support import Guest, House

# -- the door ------------------------------------------------------------------------------------


async def test_nobody_enters_without_a_session(house: House) -> None:
    assert await status(house) == 401
    assert await status(house, authorization="Bearer") == 401
    assert await status(house, authorization="Bearer nonsense") == 401
    assert await status(house, authorization="Basic bm9ib2R5Og==") == 401
    assert await status(house, origin=house.url) == 401
    assert await status(house, origin=house.url, cookie=f"{COOKIE}=nonsense") == 401
    token = await house.token("ana")
    assert await status(house, query=f"?token={token}&access_token={token}") == 401
    assert await status(house, authorization=f"Bearer {token}") == 101


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "http://127.0.0.1", "http://127.0.0.1:1", "http://evil.example"),
        *("https://{here}", "HTTP://{here}", "http://{here}/", "http://{here}.evil.example"),
        *("http://evil.example/http://{here}", "http://{here}@evil.example", "{here}", " "),
    ],
)
async def test_a_wrong_origin_is_refused_even_with_a_session(house: House, origin: str) -> None:
    cookie = await cookie_of(house)
    origin = origin.replace("{here}", house.url.removeprefix("http://"))
    assert await status(house, origin=origin, cookie=cookie) == 403
    assert await status(house, origin=origin) == 403


async def test_a_session_without_an_origin_is_refused(house: House) -> None:
    cookie = await cookie_of(house)
    assert await status(house, cookie=cookie) == 403
    assert await status(house, cookie=cookie, origin=house.url) == 101


async def test_an_ended_session_closes_4501_and_enters_nowhere(house: House) -> None:
    headers = {"cookie": await cookie_of(house), "origin": house.url}
    ana = await Guest.connect(house.port, headers=headers)
    await ana.join(ROOM)
    async with house.http(**headers) as browser:
        assert (await browser.delete("/api/session")).status_code == 204
        assert await ana.closed() == 4501
        assert (await browser.get("/api/session")).status_code == 401
    assert await status(house, **headers) == 401

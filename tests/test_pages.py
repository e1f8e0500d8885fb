"""The browser's files as they go out: squeezed, asked about again, and nothing beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.support import House, open_house
from web.pages import HERE
from web.version import VERSION

STATIC = HERE / "static"
SCRIPT = "parts/timeline.js"


@pytest.fixture(scope="module")
async def site(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> AsyncIterator[httpx2.AsyncClient]:
    folder: Path = tmp_path_factory.mktemp("pages")
    house: House
    async with open_house(folder, redis_url) as house, house.http() as http:
        yield http


async def test_a_script_goes_out_without_its_comments(site: httpx2.AsyncClient) -> None:
    written = (STATIC / SCRIPT).read_text("utf-8")
    served = await site.get(f"/static/{VERSION}/{SCRIPT}")
    assert served.headers["content-type"].startswith("text/javascript")
    assert "//" in written
    assert "//" not in served.text
    assert "export" in served.text


async def test_every_script_and_style_is_served_and_smaller(site: httpx2.AsyncClient) -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css")]
    assert len(files) > 40
    for path in files:
        served = await site.get(f"/static/{VERSION}/{path.relative_to(STATIC).as_posix()}")
        assert 0 < len(served.content) < path.stat().st_size, path


async def test_a_file_that_the_browser_has_is_not_sent_again(site: httpx2.AsyncClient) -> None:
    first = await site.get(f"/static/{VERSION}/{SCRIPT}")
    headers = {"if-none-match": first.headers["etag"]}
    again = await site.get(f"/static/{VERSION}/{SCRIPT}", headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"


async def test_what_is_not_a_file_of_the_browsers_is_not_there(site: httpx2.AsyncClient) -> None:
    for path in ("none.js", "parts", "../pages.py", "%2e%2e/pages.py"):
        assert (await site.get(f"/static/{VERSION}/{path}")).status_code == 404

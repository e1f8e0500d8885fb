"""Twenty cases through a real server, and the board held against SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends import on_postgres
from tests.journeys import served
from tests.journeys.cases import TWENTY, read, treated
from tests.journeys.served import Served
from tests.processes import Run


@pytest.mark.timeout(240)
async def test_twenty_cases_are_treated_and_the_board_says_what_sql_says(
    run: Run, tmp_path: Path
) -> None:
    server = Served(run, tmp_path, LOUNGE_BENCH="1")
    cases = read(TWENTY)
    assert len(cases) == 20
    assert len(await treated(server, cases, None)) == 2


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_the_same_on_postgresql(
    run: Run, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    async with on_postgres(postgres_url) as settings:
        environ = {**served.on_postgres(settings), "REDIS_URL": redis_url, "LOUNGE_BENCH": "1"}
        server = Served(run, tmp_path, **environ)
        assert await treated(server, read(TWENTY), settings["database_url"])

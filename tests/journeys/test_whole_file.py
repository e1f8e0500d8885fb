"""`lounge replay` of our own texts: all there, in order, once, and found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.replay import replayed
from tests.journeys.served import Served
from tests.processes import Run

TEXTS = Path(__file__).parents[1] / "texts.jsonl"


@pytest.mark.timeout(300)
@pytest.mark.long
async def test_every_text_of_a_file_is_said_kept_once_and_found(run: Run, tmp_path: Path) -> None:
    seen = await replayed(Served(run, tmp_path, "--demo"), TEXTS, phrases=6)
    assert "refused 0 times" in seen[1]
    assert len([line for line in seen if line.startswith("Found [en]")]) == 3
    assert len([line for line in seen if line.startswith("Found [fr]")]) == 3

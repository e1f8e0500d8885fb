"""The locks pin every package by hash and name no place that it came from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(
    path for path in (ROOT / "requirements").iterdir() if path.suffix in {".lock", ".txt"}
)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_address(lock: Path) -> None:
    assert not re.search(r"://|index|find-links|trusted-host| @ ", lock.read_text())


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_every_package_by_hash(lock: Path) -> None:
    text = lock.read_text()
    pinned = [line for line in text.splitlines() if not line.startswith((" ", "#")) and line]
    assert pinned
    assert all(re.match(r"[\w.-]+==[\w.!+]+ (; .+ )?\\$", line) for line in pinned)
    assert text.count("--hash=sha256:") >= len(pinned)
    assert not re.search(r"--(?!hash)", text)


def test_what_runs_is_tested_in_the_same_versions() -> None:
    run, dev = (_pins(ROOT / "requirements" / name) for name in ("run.lock", "dev.lock"))
    assert run.items() <= dev.items()


def test_uvs_own_lock_is_not_kept() -> None:
    """It records the address of every file."""
    assert "uv.lock" in (ROOT / ".gitignore").read_text().split()


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\w.!+]+)", lock.read_text(), re.MULTILINE))

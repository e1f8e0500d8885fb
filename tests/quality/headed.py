"""Text files of lines under [headings]."""

from __future__ import annotations

from pathlib import Path


def headed(path: Path) -> dict[str, list[str]]:
    """The lines of a file under each of its [headings]."""
    found: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("["):
            lines = found.setdefault(line[1:-1], [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return found

"""A Chromium for the browser tests. `python -m tests.chromium` gets one where none is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_UNPACKED = Path(__file__).parents[1] / ".venv" / "chromium"
_QUIET = (
    *("--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
# The npm build is made for one small container: it has no zygote, sandbox or second process.
_SINGLE = ("--headless=old", "--single-process", "--no-zygote", "--use-angle=swiftshader")
_UNPACK = """
const [from, to] = process.argv.slice(1)
const fs = require("fs")
fs.createReadStream(from).pipe(require("zlib").createBrotliDecompress()).pipe(fs.createWriteStream(to))
"""


def found() -> Path | None:
    """LOUNGE_CHROMIUM, else a Chromium or Chrome on PATH, else the one from npm, else None."""
    if given := os.environ.get("LOUNGE_CHROMIUM"):
        return Path(given)
    for name in _NAMES:
        if path := shutil.which(name):
            return Path(path)
    fallback = _UNPACKED / "chromium"
    return fallback if fallback.exists() else None


def launch(path: Path) -> dict[str, Any]:
    """Playwright's launch options for it. Its sandbox stays on where the system allows one."""
    options: dict[str, Any] = {"executable_path": str(path), "args": [*_QUIET]}
    if path.is_relative_to(_UNPACKED):
        options["args"] += ["--no-sandbox", *_SINGLE]
        options["env"] = os.environ | {"LD_LIBRARY_PATH": str(_UNPACKED / "lib")}
    elif os.geteuid() == 0:
        options["args"].append("--no-sandbox")
    return options


def install() -> None:
    """Debian's Chromium when root, else npm's @sparticuz/chromium, and says which."""
    if path := found():
        print(f"Chromium for the browser tests: {path}")
    elif os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Debian's chromium for the browser tests (about 350 MB) …", flush=True)
        _from_debian()
    elif shutil.which("npm"):
        print("Fetching npm's @sparticuz/chromium for the browser tests …", flush=True)
        _from_npm()
    if not found():
        print("No Chromium: the browser tests will be skipped. LOUNGE_CHROMIUM may name one.")


def _from_debian() -> None:
    packages = ["chromium", "fonts-noto-color-emoji"]
    install = ["install", "-y", "--no-install-recommends", *packages]
    if not _apt(*install):
        _apt("update")
        _apt(*install)


def _apt(*command: str) -> bool:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", "-q", *command], stdout=subprocess.DEVNULL, env=quiet)
    return done.returncode == 0


def _from_npm() -> None:
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pack = ["npm", "pack", "--silent", "@sparticuz/chromium"]
        name = subprocess.run(pack, cwd=folder, capture_output=True, text=True).stdout.strip()
        if not name:
            return
        subprocess.run(["tar", "-xf", name], cwd=folder, check=True)
        for packed in Path(folder, "package", "bin").rglob("*.br"):
            _unpack(packed, _UNPACKED / packed.stem)


def _unpack(packed: Path, target: Path) -> None:
    subprocess.run(["node", "-e", _UNPACK, str(packed), str(target)], check=True)
    if target.suffix == ".tar":
        subprocess.run(["tar", "-xf", target.name], cwd=target.parent, check=True)
        target.unlink()
    else:
        target.chmod(0o755)


if __name__ == "__main__":
    install()

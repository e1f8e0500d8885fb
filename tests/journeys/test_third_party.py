"""Clients with nothing of ours follow the protocol alone: they sign in, speak, are cut off and resume."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.journeys.place import free_port, lounge, serve
from tests.missing import unavailable
from tests.processes import Run

HERE = Path(__file__).parent
EMAIL, PASSWORD = "ana@example.test", "a long enough password"
SAID = [[n + 1, f"third party {n}"] for n in range(5)]


@pytest.fixture
async def place(run: Run, redis_url: str, tmp_path: Path) -> str:
    """A lounge with one doctor, who has set her password; its address."""
    environ = {"LOUNGE_DATA": str(tmp_path), "REDIS_URL": redis_url}
    await lounge(run, "upgrade", **environ)
    traits = ("--country", "CA", "--specialty", "cardiology", "--verified")
    words = await lounge(
        run, "doctor", "add", "--email", EMAIL, "--name", "Ana", *traits, **environ
    )
    port = free_port()
    await serve(run, port, **environ)
    url = f"http://127.0.0.1:{port}"
    body = {"email": EMAIL, "code": words[-1], "password": PASSWORD}
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{url}/api/password", json=body, headers={"origin": url})
    assert answer.status_code == 204, answer.text
    return url


async def test_a_plain_script_on_the_websockets_package_joins_says_and_resumes(
    place: str,
) -> None:
    script = [sys.executable, str(HERE / "third_party.py"), place, EMAIL, PASSWORD, "world"]
    assert await _printed(script) == SAID


async def test_nodes_own_websocket_joins_says_and_resumes(place: str) -> None:
    node = shutil.which("node") or unavailable("no node")
    major = _major(node)
    if major < 20:
        unavailable("Node before 20 has no WebSocket of its own")
    flags = ["--experimental-websocket"] if major < 22 else []
    script = [node, *flags, str(HERE / "third_party.mjs"), place, EMAIL, PASSWORD, "country/ca"]
    assert await _printed(script) == SAID


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return int(version.stdout.lstrip("v").split(".")[0])


async def _printed(command: list[str]) -> object:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    return json.loads(out.decode().splitlines()[-1])

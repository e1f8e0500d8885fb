"""Clients with nothing of ours follow the protocol alone: they sign in, speak, are cut off and resume."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.journeys.served import Served
from tests.missing import unavailable
from tests.processes import Run
from tests.support import http_client

HERE = Path(__file__).parent
EMAIL, PASSWORD = "ana@example.test", "a long enough password"
SAID = [[n + 1, f"third party {n}"] for n in range(5)]
PATIENCE_SECONDS = 60


@pytest.fixture
async def place(run: Run, tmp_path: Path) -> str:
    """The address of a lounge with one doctor, who has set her password."""
    server = Served(run, tmp_path)
    traits = ("--country", "CA", "--specialty", "cardiology", "--verified")
    code = await server.lounge("doctor", "add", "--email", EMAIL, "--name", "Ana", *traits)
    await server.start()
    body = {"email": EMAIL, "code": code.split()[-1], "password": PASSWORD}
    async with http_client() as http:
        answer = await http.post(f"{server.url}/api/password", json=body)
    assert answer.status_code == 204, answer.text
    return server.url


@pytest.mark.long
async def test_a_plain_script_on_the_websockets_package_joins_says_and_resumes(place: str) -> None:
    command = [sys.executable, str(HERE / "third_party.py"), place, EMAIL, PASSWORD, "world"]
    assert json.loads(await _printed(command)) == SAID


async def test_nodes_own_websocket_joins_says_and_resumes(place: str) -> None:
    node = shutil.which("node") or unavailable("no node")
    major = int((await _printed([node, "--version"])).lstrip("v").split(".")[0])
    if major < 20:
        unavailable("Node before 20 has no WebSocket of its own")
    flags = ["--experimental-websocket"] if major < 22 else []
    script = [node, *flags, str(HERE / "third_party.mjs"), place, EMAIL, PASSWORD, "country/ca"]
    assert json.loads(await _printed(script)) == SAID


async def _printed(command: list[str]) -> str:
    """The last line of what it prints."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()[-1]

"""The public NPI registry, asked over the network: here a server that answers as it is published to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lounge.credentials.claims import LICENCE, Claim, Finding
from lounge.credentials.nppes import Nppes
from tests.stores import START, Clock

ANA = {
    "number": "1234567893",
    "enumeration_type": "NPI-1",
    "basic": {"first_name": "ANA", "last_name": "ROY", "status": "A", "credential": "M.D."},
    "taxonomies": [
        {"code": "207RC0000X", "desc": "Cardiovascular Disease", "primary": True, "state": "NY"}
    ],
    "other_names": [{"type": "Former Name", "first_name": "ANA", "last_name": "GARCIA"}],
}
NURSE = {**ANA, "taxonomies": [{"code": "163W00000X", "desc": "Registered Nurse"}]}
HOSPITAL = {"number": "1234567893", "enumeration_type": "NPI-2", "basic": {"status": "A"}}
LEFT = {**ANA, "basic": {"status": "D"}}


@contextmanager
def registry(answer: bytes, status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """Its address, and the queries it was sent."""
    asked: list[str] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(urlsplit(self.path).query)
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/", asked
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


def results(*found: object) -> bytes:
    return json.dumps({"result_count": len(found), "results": found}).encode()


async def ask(url: str, name: str = "Ana Roy", body: str = "us.npi") -> Finding | None:
    claim = Claim("id", "ana@clinic.test", name, "US", None, "x", "y", body, "1234567893")
    return await Nppes(url, timeout_seconds=0.5, clock=Clock()).examine(claim)


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (results(ANA), "agrees", "register_agrees"),
        (results(NURSE), "disagrees", "register_no_doctor"),
        (results(HOSPITAL), "disagrees", "register_no_doctor"),
        (results(LEFT), "disagrees", "licence_expired"),
        (results(), "unknown", "register_unknown"),
        (b'{"Errors": [{"description": "Too many requests"}]}', "away", "source_away"),
        (b"<html>Maintenance</html>", "away", "source_away"),
        (results({"number": "1234567893"}), "away", "source_away"),
    ],
)
async def test_what_the_registry_answers(answer: bytes, verdict: str, reason: str) -> None:
    with registry(answer) as (url, asked):
        finding = await ask(url)
    assert finding
    assert (finding.verdict, finding.reason, finding.at) == (verdict, reason, START)
    assert (finding.public, finding.strong) == (True, False)
    assert finding.covers == LICENCE
    assert [parse_qs(query) for query in asked] == [{"version": ["2.1"], "number": ["1234567893"]}]


async def test_a_former_name_is_hers_and_another_one_is_not() -> None:
    with registry(results(ANA)) as (url, _):
        former, other = await ask(url, "Dr Ana García"), await ask(url, "Ben Roy")
        assert await ask(url, body="gb.gmc") is None
    assert former
    assert other
    assert (former.verdict, other.verdict) == ("agrees", "disagrees")


async def test_a_registry_that_fails_or_is_not_there_is_away() -> None:
    with registry(b"", status=503) as (url, _):
        failing = await ask(url)
    gone = await ask(url)
    assert failing
    assert gone
    assert (failing.verdict, gone.verdict) == ("away", "away")


async def test_a_registry_that_says_nothing_is_away_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        finding = await ask(f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert finding
    assert finding.verdict == "away"

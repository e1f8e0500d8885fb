"""Text messages and calls: handed to a gateway that can tell who we are, answered by one that we can tell."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from lounge.errors import Refusal
from lounge.keys import KeyFault
from lounge.oncall.gateway import Gateway, read_secrets
from lounge.oncall.outside import Outside
from lounge.settings import from_environment
from tests.outsiders import Handed, Outsider, new_secret, outsider, signed
from tests.support import Guest, House, new_cid, open_house, until

SECRET = new_secret()
TEXT = "Two hours of aphasia, nothing on the CT: whom do I call?"
TOLD = json.dumps({"type": "alert.accepted", "data": {"alert": "x"}}).encode()


# -- signatures ----------------------------------------------------------------------------------


def believing(*secrets: str) -> Gateway:
    return Gateway("http://127.0.0.1:9", secrets, Outside())


def test_a_good_signature_is_believed_also_by_the_secret_before() -> None:
    for secrets in ([SECRET], [new_secret(), SECRET]):
        told = believing(*secrets).believed(TOLD, signed(SECRET, TOLD))
        assert (told.type, told.data.alert) == ("alert.accepted", "x")


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,!!!"},
        {"webhook-signature": "v1a,AAAA"},
        {"webhook-id": "another"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": str(int(time.time()) - 1)},
        {"webhook-timestamp": "1e999"},
    ],
)
def test_what_was_altered_is_not(change: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        believing(SECRET).believed(TOLD, signed(SECRET, TOLD, at=time.time() - 60) | change)
    assert refused.value.key == "refusal.gateway_signature"


@pytest.mark.parametrize("away", [-301, 301, -86_400])
def test_nor_is_what_was_signed_more_than_five_minutes_from_now(away: float) -> None:
    with pytest.raises(Refusal):
        believing(SECRET).believed(TOLD, signed(SECRET, TOLD, at=time.time() + away))


def test_nor_what_another_secret_signed_nor_another_body_nor_nothing() -> None:
    for body, headers in (
        (TOLD, signed(new_secret(), TOLD)),
        (TOLD + b" ", signed(SECRET, TOLD)),
        (b"\xff", signed(SECRET, TOLD)),
        (TOLD, {}),
    ):
        with pytest.raises(Refusal) as refused:
            believing(SECRET).believed(body, headers)
        assert refused.value.key == "refusal.gateway_signature"


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[" * 4000,
        b'{"type":"alert.paid","data":{"alert":"x"}}',
        b'{"type":"alert.accepted"}',
    ],
)
def test_what_is_signed_and_says_nothing_known_is_invalid(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        believing(SECRET).believed(body, signed(SECRET, body))
    assert refused.value.key == "request.invalid"


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (SECRET, 0o644, "chmod 600"),
        ("# nothing\n", 0o600, "holds no secret"),
        ("whsec_\n", 0o600, "no secret in base64"),
        ("whsec_a\n", 0o600, "no secret in base64"),
    ],
    ids=["read by others", "only a remark", "empty", "not base64"],
)
def test_a_secret_that_is_none_stops_the_start_with_a_sentence(
    tmp_path: Path, content: str, mode: int, says: str
) -> None:
    path = tmp_path / "secret"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(KeyFault, match=says):
        read_secrets(path)


def test_secrets_are_read_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"# of both houses\n{SECRET}\nwhsec_AAAA\n")
    path.chmod(0o600)
    assert read_secrets(path) == [SECRET, "whsec_AAAA"]
    with pytest.raises(KeyFault, match="cannot read"):
        read_secrets(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "set_so",
    [
        {"LOUNGE_GATEWAY_URL": "http://gate.example/x", "LOUNGE_GATEWAY_SECRET_FILE": "x"},
        {"LOUNGE_GATEWAY_URL": "https://gate.example/x"},
    ],
)
def test_a_gateway_needs_https_and_a_secret(set_so: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="LOUNGE_GATEWAY"):
        from_environment(set_so)


# -- a lounge with a gateway ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def gate() -> Iterator[Outsider]:
    with outsider() as gate:
        yield gate


@pytest.fixture(scope="module")
async def house(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, gate: Outsider
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("gateway")
    secret = folder / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    url = f"{gate.url}/orders"
    async with open_house(folder, redis_url, gateway_url=url, gateway_secret_file=secret) as house:
        yield house


@pytest.fixture(scope="module")
async def asker(house: House) -> Guest:
    return await house.guest("ana", "me")


class Called:
    """A doctor who is available and has a telephone of her own, and what the gateway is told for her."""

    def __init__(self, house: House, gate: Outsider, number: int, specialty: str) -> None:
        self.house, self.gate, self.specialty = house, gate, specialty
        self.name, self.telephone = f"called-{number}", f"+442079460{number:03}"

    async def orders(self, count: int) -> list[dict[str, Any]]:
        """What it is to do for her, once there is so much; the test alert is the first."""
        await until(lambda: len(self._orders()) >= count)
        return self._orders()

    def _orders(self) -> list[dict[str, Any]]:
        orders = [order_of(each) for each in self.gate.handed]
        return [each for each in orders if each["to"] == self.telephone]

    async def reachable(self) -> None:
        await self.house.doctor(self.name, specialty=self.specialty, country="GB")
        async with self.house.http(await self.house.token(self.name)) as http:
            new = {"kind": "voice", "address": self.telephone}
            id = (await http.post("/api/reach", json=new)).json()["id"]
            await http.post(f"/api/reach/{id}/test")
            (test,) = await self.orders(1)
            code = "".join(filter(str.isdigit, test["text"]))
            confirmed = await http.post(f"/api/reach/{id}/confirm", json={"code": code})
            assert confirmed.json()["works"]
            await http.put("/api/available", json={"minutes": 60})

    async def asked(self, guest: Guest) -> tuple[str, dict[str, Any]]:
        """The room of a question to her, and what the gateway is told."""
        fields = {"specialty": self.specialty, "text": TEXT, "cid": new_cid()}
        room = (await guest.ask("ask_now", **fields))["room"]
        return room, (await self.orders(2))[1]

    async def tells(self, told: str, alert: str, **headers: str) -> httpx2.Response:
        """What the lounge answers the gateway."""
        body = json.dumps({"type": f"alert.{told}", "data": {"alert": alert}}).encode()
        async with self.house.http() as http:
            return await http.post(
                "/api/gateway", content=body, headers=signed(SECRET, body) | headers
            )


def order_of(handed: Handed) -> dict[str, Any]:
    """What a gateway does once it believes the signature."""
    told: dict[str, Any] = Webhook(SECRET).verify(handed.body, handed.headers)
    data: dict[str, Any] = told["data"]
    assert (told["type"], handed.headers["webhook-id"]) == ("alert", data["alert"])
    return data


_numbers = count(100)


@pytest.fixture
async def called(house: House, gate: Outsider) -> Called:
    """Somebody of a specialty of her own in each test."""
    number = next(_numbers)
    called = Called(house, gate, number, sorted(house.lounge.rooms.specialties)[number % 40])
    await called.reachable()
    return called


async def phase(guest: Guest, room: str, phase: str) -> None:
    await guest.sees(
        lambda frame: (
            frame["op"] == "event"
            and frame["room"] == room
            and frame.get("state", {}).get("phase") == phase
        )
    )


async def test_a_page_is_told_to_a_telephone_without_a_word_of_what_it_asks(
    called: Called, asker: Guest
) -> None:
    room, order = await called.asked(asker)
    assert {name: order[name] for name in ("channel", "to", "says", "language", "answers")} == {
        "channel": "voice",
        "to": called.telephone,
        "says": "ask",
        "language": "en",
        "answers": True,
    }
    assert "now" in order["text"]
    assert not any(each in json.dumps(order) for each in (room, TEXT, called.specialty))


async def test_whoever_accepts_on_the_telephone_has_accepted(called: Called, asker: Guest) -> None:
    room, order = await called.asked(asker)
    await asker.join(room)
    assert (await called.tells("delivered", order["alert"])).status_code == 200
    await phase(asker, room, "delivered")
    assert (await called.tells("accepted", order["alert"])).json() == {}
    await phase(asker, room, "accepted")
    hers = await called.house.guest(called.name)
    await hers.join(room)
    says = [each["says"] for each in await called.orders(3)]
    assert says == ["test", "ask", "over"]  # nothing rings any more


async def test_a_webhook_that_is_played_again_changes_nothing(
    called: Called, asker: Guest, house: House
) -> None:
    room, order = await called.asked(asker)
    await asker.join(room)
    body = json.dumps({"type": "alert.declined", "data": {"alert": order["alert"]}}).encode()
    headers = signed(SECRET, body)
    async with house.http() as http:
        first = await http.post("/api/gateway", content=body, headers=headers)
        again = await http.post("/api/gateway", content=body, headers=headers)
    assert first.status_code == 200
    assert again.status_code in (200, 404)  # it is over for her, so the alert may be forgotten
    page = await house.lounge.pages.find(room)
    assert page
    assert page.declined == 1


async def test_what_others_send_to_the_gateways_door_is_not_believed(
    called: Called, asker: Guest
) -> None:
    _, order = await called.asked(asker)
    refused = await called.tells("accepted", order["alert"], **{"webhook-signature": "v1,AAAA"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    old = signed(SECRET, b"{}", at=time.time() - 600)
    refused = await called.tells("accepted", order["alert"], **old)
    assert refused.status_code == 403


async def test_an_alert_that_there_is_not_is_not_found(called: Called) -> None:
    for alert in ("nobodys", "x" * 64):
        refused = await called.tells("accepted", alert)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert (await called.tells("accepted", "x" * 65)).status_code == 400
    assert (await called.tells("accepted", "x" * 10_000)).json()["error"]["code"] == "too_long"


async def test_once_another_accepted_the_telephone_is_told_that_it_is_over(
    called: Called, asker: Guest, house: House
) -> None:
    await house.doctor(f"{called.name}-other", specialty=called.specialty)
    other = await house.guest(f"{called.name}-other", "me")
    async with house.http(house.passes[f"{called.name}-other"]) as http:
        await http.put("/api/available", json={"minutes": 60})
    room, order = await called.asked(asker)
    await other.ask("page_answer", room=room, accept=True, cid=new_cid())
    assert [each["says"] for each in await called.orders(3)] == ["test", "ask", "over"]
    refused = await called.tells("accepted", order["alert"])
    assert refused.json()["error"]["code"] in ("not_found", "frozen")


def test_the_reference_library_refuses_what_we_sign_for_another_id() -> None:
    headers = signed(SECRET, TOLD) | {"webhook-id": "another"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(TOLD, headers)

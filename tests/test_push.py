"""Web Push: what we send is read by RFC 8291 with another library, and only where the house allows."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import http_ece
import msgspec
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from lounge.errors import Refusal
from lounge.keys import Keyring
from lounge.oncall.calls import Address, Call, Delivery
from lounge.oncall.outside import Away, Gone, Outside
from lounge.oncall.push import Push, payload_of
from lounge.settings import DEFAULT_PUSH_HOSTS
from tests.outsiders import Browser, Outsider, outsider

KEYRING = Keyring([b"k" * 32])
ROOM = "page/AbCdEfGhIjKlMnOpQrStUv"
PAGE, OVER = Call("page", ROOM, "now"), Call("over", ROOM)


@pytest.fixture(scope="module")
def service() -> Iterator[Outsider]:
    with outsider() as service:
        yield service


@pytest.fixture(autouse=True)
def _as_new(service: Outsider) -> None:
    service.status = 201
    service.handed.clear()


def push(*hosts: str, outside: Outside | None = None) -> Push:
    allowed = hosts or ("127.0.0.1",)
    return Push(KEYRING, allowed, "house@heart.example", outside or Outside())


async def sent(browser: Browser, *calls: Call, patience: float = 5.0) -> None:
    """One call after the other, to that browser."""
    outside = Outside(patience)
    try:
        for call in calls:
            await push(outside=outside).send(delivery(browser.subscription, call))
    finally:
        await outside.close()


def delivery(address: Address, call: Call, language: str = "en") -> Delivery:
    return Delivery("an-alert", "q" * 22, "push", call, address, language)


async def test_what_is_sent_is_read_by_another_library_with_the_browsers_own_key(
    service: Outsider,
) -> None:
    browser = Browser(service.url)
    await sent(browser, PAGE)
    (handed,) = service.handed
    assert handed.headers["content-encoding"] == "aes128gcm"
    assert f"{service.url}{handed.path}" == browser.address
    assert browser.reads(handed) == {
        "kind": "page",
        "room": ROOM,
        "urgency": "now",
        "title": "You are paged",
        "body": "A service you are on call for pages you. Urgency: now. "
        "Open the lounge to accept or decline.",
        "accept": "Accept",
        "decline": "Decline",
    }


async def test_where_names_may_be_exchanged_no_button_accepts(service: Outsider) -> None:
    browser = Browser(service.url)
    await sent(browser, Call("page", ROOM, "now", formal=True))
    read = browser.reads(service.handed[0])
    assert (read["formal"], read["decline"], "accept" in read) == (True, "Decline", False)


async def test_nobody_but_that_browser_reads_it(service: Outsider) -> None:
    ana, ben = Browser(service.url), Browser(service.url)
    await sent(ana, PAGE)
    with pytest.raises(http_ece.ECEException):
        ben.reads(service.handed[0])


async def test_a_push_service_believes_that_it_comes_from_this_house(service: Outsider) -> None:
    await sent(Browser(service.url), PAGE)
    scheme, _, rest = service.handed[0].headers["authorization"].partition(" ")
    parts = dict(each.strip().split("=", 1) for each in rest.split(","))
    assert (scheme, parts["k"]) == ("vapid", push().key)
    point = base64.urlsafe_b64decode(parts["k"] + "=")
    x, y = (base64.urlsafe_b64encode(half).decode() for half in (point[1:33], point[33:]))
    key = ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x.rstrip("="), "y": y.rstrip("=")})
    claims = jwt.decode(parts["t"], key, algorithms=["ES256"]).claims
    assert claims["aud"] == "http://127.0.0.1"
    assert claims["sub"] == "mailto:house@heart.example"


def test_the_key_that_browsers_subscribe_with_outlives_a_rotation() -> None:
    rotated = Keyring([b"n" * 32, b"k" * 32])
    after = Push(rotated, ("127.0.0.1",), "house@heart.example", Outside())
    assert after.key == push().key
    assert Push(Keyring([b"n" * 32]), (), "a@b.example", Outside()).key != push().key


@pytest.mark.parametrize("language", ["en", "fr"])
def test_all_kinds_of_alerts_are_as_long_as_each_other(language: str) -> None:
    address = Address()
    calls = [
        Call("page", ROOM, "routine"),
        Call("page", ROOM, "routine", formal=True),
        Call("ask", ROOM, "now"),
        Call("over", ROOM),
        Call("test", "a-reach", code="123456"),
    ]
    assert {len(payload_of(delivery(address, call, language))) for call in calls} == {1024}


async def test_what_is_over_replaces_what_was_not_delivered_yet(service: Outsider) -> None:
    browser = Browser(service.url)
    await sent(browser, PAGE, OVER)
    first, second = (each.headers for each in service.handed)
    assert first["topic"] == second["topic"]
    assert first["urgency"] == second["urgency"] == "high"
    assert [browser.reads(each)["kind"] for each in service.handed] == ["page", "over"]


async def test_what_can_wait_does_not_wake_a_phone(service: Outsider) -> None:
    await sent(Browser(service.url), Call("page", ROOM, "routine"))
    assert service.handed[0].headers["urgency"] == "normal"


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_no_more_is_gone(service: Outsider, status: int) -> None:
    service.status = status
    with pytest.raises(Gone):
        await sent(Browser(service.url), OVER)


@pytest.mark.parametrize("status", [307, 400, 429, 500])
async def test_any_other_answer_is_tried_again_and_no_redirect_is_followed(
    service: Outsider, status: int
) -> None:
    service.status = status
    with pytest.raises(Away) as fault:
        await sent(Browser(service.url), OVER)
    assert str(fault.value) == str(status)
    assert len(service.handed) == 1


async def test_a_service_that_hangs_is_left_alone_soon(service: Outsider) -> None:
    service.hang()
    with pytest.raises(Away) as fault:
        await sent(Browser(service.url), OVER, patience=0.1)
    assert str(fault.value) in ("TimeoutError", "ReadTimeout")
    service.released.set()


async def test_a_fault_never_tells_an_address() -> None:
    with pytest.raises(Away) as fault:
        await sent(Browser("http://127.0.0.1:9"), OVER)
    assert "127.0.0.1" not in str(fault.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://fcm.googleapis.com/fcm/send/x",
        "https://fcm.googleapis.com:443/x",
        "https://FCM.googleapis.com/x",
        "https://updates.push.services.mozilla.com/wpush/v2/x",
        "https://web.push.apple.com/x",
        "https://wns2-par02p.notify.windows.com/w/?token=x",
    ],
)
def test_the_services_of_the_usual_browsers_are_allowed(url: str) -> None:
    assert push(*DEFAULT_PUSH_HOSTS).allows(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evil.example/fcm.googleapis.com",
        "https://fcm.googleapis.com@evil.example/x",
        "https://user@fcm.googleapis.com/x",
        "https://evil.example\\@fcm.googleapis.com/x",
        "https://evilnotify.windows.com/x",
        "https://notify.windows.com.evil.example/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1:6379/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://169.254.169.254/latest/meta-data",
        "https://fcm.googleapis.com/x#y",
        "https://fcm.googleapis.com:x/",
        "https://ｆcm.googleapis.com/x",
        "file:///etc/passwd",
        "//fcm.googleapis.com/x",
        "",
    ],
)
def test_no_other_address_is_ever_connected_to(url: str) -> None:
    sender = push(*DEFAULT_PUSH_HOSTS)
    assert not sender.allows(url)
    with pytest.raises(Refusal) as refused:
        sender.checked(msgspec.structs.replace(Browser("").subscription, to=url))
    assert refused.value.key == "refusal.reach_push_host"


@pytest.mark.parametrize(
    "change",
    [
        {"p256dh": ""},
        {"p256dh": base64.urlsafe_b64encode(b"\4" + bytes(64)).decode()},  # on no curve
        {"p256dh": "!" * 87},
        {"auth": ""},
        {"auth": base64.urlsafe_b64encode(bytes(15)).decode()},
    ],
)
def test_keys_that_are_none_are_refused_when_they_come(change: dict[str, str]) -> None:
    address = Browser("http://127.0.0.1:9").subscription
    assert push().checked(address) == address
    with pytest.raises(Refusal) as refused:
        push().checked(msgspec.structs.replace(address, **change))
    assert refused.value.key == "refusal.reach_push_keys"

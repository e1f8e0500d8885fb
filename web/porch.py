"""The porch: how many may stand before the door, from where, and how long. No sockets in here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from uvicorn.middleware.proxy_headers import _TrustedHosts  # so that we believe whom uvicorn does

from lounge.knocks import network_of
from lounge.settings import Settings


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one process bears from those who are nobody yet. `each` is for one address."""

    head_seconds: float = 10.0
    body_seconds: float = 20.0
    handshake_seconds: float = 10.0
    crowded_seconds: float = 1.0
    head_bytes: int = 32 * 1024
    half_open: int = 1_000
    half_open_each: int = 50
    connections: int = 20_000
    connections_each: int = 600
    handshakes: int = 200


BOUNDS = Bounds()


class Addresses:
    """How many are in, in all and from each address; it remembers only addresses of who is in.

    An address of None counts in all only.
    """

    def __init__(self, in_all: int, each: int) -> None:
        self.count = 0
        self._in_all, self._each = in_all, each
        self._by_network: Counter[str] = Counter()

    def enter(self, address: str | None) -> bool:
        """One more, or False, and nothing is counted, where there is no room."""
        if self.is_full():
            return False
        if address is not None:
            network = network_of(address)
            if self._by_network[network] >= self._each:
                return False
            self._by_network[network] += 1
        self.count += 1
        return True

    def leave(self, address: str | None) -> None:
        """Once for each `enter` that was True."""
        self.count -= 1
        if address is not None:
            network = network_of(address)
            self._by_network[network] -= 1
            if not self._by_network[network]:
                del self._by_network[network]

    def is_full(self) -> bool:
        """True when nobody gets in, wherever from."""
        return self.count >= self._in_all

    def networks(self) -> int:
        """How many addresses are remembered."""
        return len(self._by_network)


class Porch:
    """Who stands there now, and who was turned away, by reason. One a process."""

    def __init__(self, settings: Settings, bounds: Bounds = BOUNDS) -> None:
        def addresses(in_all: int, each: int) -> Addresses:
            return Addresses(in_all, in_all if settings.bench else each)

        self.bounds = bounds
        self.connections = addresses(bounds.connections, bounds.connections_each)
        self.half_open = addresses(bounds.half_open, bounds.half_open_each)
        self.guests = addresses(bounds.connections, bounds.connections_each)
        """WebSockets and streams by the address that a trusted proxy forwards."""
        self.handshakes = 0
        self.turned_away: Counter[str] = Counter()
        self._proxies = _TrustedHosts(settings.trusted_proxies) if settings.trusted_proxies else ()

    def bounded(self, peer: str | None) -> str | None:
        """The address to count a connection under: None for a proxy, who brings everybody."""
        return None if peer is None or peer in self._proxies else peer


class Place:
    """One connection's place on the porch, given back once, however the connection ends."""

    __slots__ = ("_address", "_shakes", "owes", "porch")

    def __init__(self, porch: Porch, address: str | None) -> None:
        self.porch = porch
        self._address = address
        self.owes = self._shakes = False

    def owe(self) -> bool:
        """It is to send a request. False when too many already are."""
        if not self.owes:
            self.owes = self.porch.half_open.enter(self._address)
        return self.owes

    def pay(self) -> None:
        """The request is complete."""
        if self.owes:
            self.owes = False
            self.porch.half_open.leave(self._address)

    def shake(self) -> bool:
        """It waits for the answer to a handshake. False when too many do."""
        if self.porch.handshakes >= self.porch.bounds.handshakes:
            return False
        self._shakes = True
        self.porch.handshakes += 1
        return True

    def shaken(self) -> None:
        """The handshake was answered."""
        if self._shakes:
            self._shakes = False
            self.porch.handshakes -= 1

    def leave(self) -> None:
        """The connection is gone."""
        self.pay()
        self.shaken()
        self.porch.connections.leave(self._address)

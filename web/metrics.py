"""What the lounge counts of itself. No room, doctor or text is ever a label."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lounge.opening import Lounge


class Metrics:
    """One registry a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connections = Gauge(
            "lounge_connections", "Open WebSockets of this process.", registry=self.registry
        )
        self.commands = Counter(
            "lounge_commands",
            "Commands answered, by op and by ok or error code.",
            ["op", "answer"],
            registry=self.registry,
        )
        self.closed = Counter(
            "lounge_closed",
            "WebSockets that the server closed, by close code.",
            ["code"],
            registry=self.registry,
        )

    def observe(self, lounge: Lounge) -> None:
        """Read the lounge's own counters whenever the metrics are asked for."""
        self.registry.register(_Observed(lounge))

    def text(self) -> bytes:
        """The exposition format of Prometheus."""
        return generate_latest(self.registry)


class _Observed(Collector):
    def __init__(self, lounge: Lounge) -> None:
        self._lounge = lounge

    def collect(self) -> Iterable[Metric]:
        lounge = self._lounge
        yield CounterMetricFamily(
            "lounge_deliveries", "Entries written to sockets.", value=lounge.hub.deliveries
        )
        yield CounterMetricFamily(
            "lounge_log_reads",
            "Reads of a room's log that memory could not serve.",
            value=lounge.hub.reads,
        )
        yield CounterMetricFamily(
            "lounge_hints_dropped", "Hints that did not reach Redis.", value=lounge.bus.dropped
        )
        yield GaugeMetricFamily(
            "lounge_bus_up", "1 while the subscription to Redis stands.", value=lounge.bus.is_up
        )
        yield GaugeMetricFamily(
            "lounge_acts_waiting", "Acts queued for the next commit.", value=lounge.writer.waiting
        )
        yield GaugeMetricFamily(
            "lounge_live_rooms", "Rooms with listeners here.", value=len(lounge.hub.names())
        )
        yield GaugeMetricFamily(
            "lounge_loops_down",
            "Background loops that wait after a fault.",
            value=len(lounge.faults),
        )

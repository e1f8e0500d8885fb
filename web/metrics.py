"""What the lounge counts of itself. No room, doctor or text is ever a label."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lounge.opening import Lounge
from web.porch import Porch

_BALLOTS = frozenset({"opine", "unopine", "vote"})


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

        self.resets = Counter(
            "lounge_resets",
            "Joins whose cursor was not of this log, by reason: many at once mean a restored copy.",
            ["reason"],
            registry=self.registry,
        )

    def answered(self, op: str, answer: str) -> None:
        """A command was. Not of those that put a ballot: how many came when is nobody's to know."""
        if op not in _BALLOTS:
            self.commands.labels(op, answer).inc()

    def observe(self, lounge: Lounge, porch: Porch) -> None:
        """Read the lounge's own counters whenever the metrics are asked for."""
        self.registry.register(_Observed(lounge, porch))

    def text(self) -> bytes:
        """The exposition format of Prometheus."""
        return generate_latest(self.registry)


class _Observed(Collector):
    def __init__(self, lounge: Lounge, porch: Porch) -> None:
        self._lounge = lounge
        self._porch = porch

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
            "lounge_divergences",
            "Live rooms whose log turned out to be another one: was an older copy restored?",
            value=lounge.hub.divergences,
        )
        yield CounterMetricFamily(
            "lounge_hints_dropped", "Hints that did not reach Redis.", value=lounge.bus.dropped
        )
        yield CounterMetricFamily(
            "lounge_hints_refused",
            "Messages on the bus that were forged, malformed, too large, too late or repeated.",
            value=lounge.bus.refused,
        )
        yield CounterMetricFamily(
            "lounge_canaries_missed",
            "Seconds in which a subscription that should stand brought nothing.",
            value=lounge.bus.canaries_missed,
        )
        yield CounterMetricFamily(
            "lounge_resubscribed",
            "How often the subscription to Redis was made again.",
            value=lounge.bus.resubscribed,
        )
        yield self._turned_away()
        yield self._guarded()
        yield GaugeMetricFamily(
            "lounge_door_sure",
            "1 while everybody here was checked less than a second ago; else entries are held.",
            value=lounge.door.is_sure(),
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
        yield CounterMetricFamily(
            "lounge_audit_webhook_failures",
            "Heads of the audits that their webhook did not take.",
            value=lounge.anchors.failures,
        )
        yield GaugeMetricFamily(
            "lounge_loops_down",
            "Background loops that wait after a fault.",
            value=len(lounge.faults),
        )

    def _guarded(self) -> Metric:
        family = CounterMetricFamily(
            "lounge_guarded",
            "Texts that the privacy guard held, or let through on their author's word.",
            labels=["verdict"],
        )
        for verdict, count in self._lounge.conversation.guarding.counts.items():
            family.add_metric([verdict], count)
        return family

    def _turned_away(self) -> Metric:
        family = CounterMetricFamily(
            "lounge_turned_away",
            "Connections refused or dropped before they were somebody's, by reason.",
            labels=["reason"],
        )
        for reason, count in self._porch.turned_away.items():
            family.add_metric([reason], count)
        return family

"""What the gateway counts, and how it is told to Prometheus.

A request costs a few additions to plain lists; Prometheus's own objects are made only while `/metrics` is answered.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ..events import GroupLag

BOUNDS_US = (250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000)
_BOUNDS_S = (*(f"{us / 1e6:g}" for us in BOUNDS_US), "+Inf")


class RouteStats(msgspec.Struct):
    """Of one route: answers by status, and how long they took, by `BOUNDS_US`."""

    by_status: dict[int, int] = {}
    by_bound: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS_US) + 1))
    took_us: int = 0

    def add(self, status: int, took_us: int) -> None:
        self.by_status[status] = self.by_status.get(status, 0) + 1
        self.by_bound[bisect_left(BOUNDS_US, took_us)] += 1
        self.took_us += took_us


class Stats:
    """All routes' counts, by the route's name."""

    def __init__(self, routes: Sequence[str]) -> None:
        self.routes = {name: RouteStats() for name in routes}

    def of(self, name: str) -> RouteStats:
        return self.routes[name]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the rest of the process at the moment of a scrape."""

    in_flight: int
    shed: int
    late: int
    cache_sizes: Mapping[str, int]
    fragments_encoded: int
    lag: Sequence[GroupLag]
    deliveries: Mapping[str, int]


def exposition(stats: Stats, facts: Facts) -> bytes:
    """Return everything in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_Scrape(stats, facts))
    return generate_latest(registry)


class _Scrape(Collector):
    """One scrape's worth of numbers."""

    def __init__(self, stats: Stats, facts: Facts) -> None:
        self._stats = stats
        self._facts = facts

    def describe(self) -> list[Metric]:
        """Nothing ahead of time: a registry lives for one scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._requests()
        yield from self._process()
        yield from self._consumers()

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("twit_http_requests", "Answers by route and status.", labels=("route", "status"))
        latency = HistogramMetricFamily("twit_http_request_seconds", "Time to answer, by route.", labels=("route",))
        for name, stats in self._stats.routes.items():
            for status, count in sorted(stats.by_status.items()):
                requests.add_metric((name, str(status)), count)
            if stats.by_status:
                buckets = list(zip(_BOUNDS_S, accumulate(stats.by_bound), strict=True))
                latency.add_metric((name,), buckets, stats.took_us / 1e6)
        yield requests
        yield latency

    def _process(self) -> Iterator[Metric]:
        facts = self._facts
        yield GaugeMetricFamily("twit_http_in_flight", "Requests under way.", facts.in_flight)
        yield CounterMetricFamily("twit_http_shed", "Requests refused because too many were under way.", facts.shed)
        yield CounterMetricFamily("twit_http_late", "Requests cancelled at their deadline.", facts.late)
        yield CounterMetricFamily("twit_fragments_encoded", "Tweets encoded for the fragment cache.", facts.fragments_encoded)
        sizes = GaugeMetricFamily("twit_cache_entries", "Entries of each process cache.", labels=("cache",))
        for name, size in facts.cache_sizes.items():
            sizes.add_metric((name,), size)
        yield sizes

    def _consumers(self) -> Iterator[Metric]:
        behind = GaugeMetricFamily("twit_consumer_behind_events", "Events a group has not finished.", labels=("group",))
        lag = GaugeMetricFamily("twit_consumer_lag_seconds", "Age of the oldest event a group has not finished.", labels=("group",))
        parked = GaugeMetricFamily("twit_consumer_parked_events", "Events a group gave up on.", labels=("group",))
        for group in self._facts.lag:
            behind.add_metric((group.group,), group.events + group.work)
            lag.add_metric((group.group,), group.lag_ms / 1e3)
            parked.add_metric((group.group,), group.parked)
        yield behind
        yield lag
        yield parked
        deliveries = CounterMetricFamily("twit_deliveries", "Entries fanned out by this process, by outcome.", labels=("outcome",))
        for outcome, count in self._facts.deliveries.items():
            deliveries.add_metric((outcome,), count)
        yield deliveries

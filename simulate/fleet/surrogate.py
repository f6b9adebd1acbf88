"""The fast stand-in for a run: what each tier must have in each world, in closed form, and how full what it has is.

Utilisation is work at the peak over servers; memory, disk and network are sums. It knows no queue, no stall, no burst shorter
than the peak hour; `Surrogate.error`, filled from full runs, says how far off that is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..kinds import TIER_OF, Kind, Tier
from ..work import Interval, Works
from .fleet import Fleet
from .geography import region_x
from .loads import CELEBRITIES, LISTED, Loads, Rate, estimated, scaled
from .memory import KEY, PROFILE, SET_MEMBER, TWEET_OVERHEAD, Encoding, Memory, held, timeline_bytes
from .worlds import Floats, Worlds, at, seconds

TIB = 2**40
NET_FULL = 0.6  # of a machine's network: the rest is for rebuilding a node
STORED_TWEET = 400.0
PUSH_US = {  # µs a delivery: one function call of 1,000 keys; through a client's pipeline, ZADD and ZREMRANGEBYRANK
    ("function", Encoding.LIST): Interval(3.6, 2.4, 6.0),
    ("function", Encoding.LISTPACK): Interval(18.7, 17.9, 19.6),
    ("function", Encoding.SKIPLIST): Interval(11.5, 10.0, 13.0),
    ("pipeline", Encoding.LIST): Interval(12.0, 6.0, 20.0),
    ("pipeline", Encoding.LISTPACK): Interval(25.0, 20.4, 27.8),
    ("pipeline", Encoding.SKIPLIST): Interval(24.0, 20.4, 27.8),
}
WRITTEN_EVERYWHERE = {Kind.PUSH, Kind.PUT_TWEET, Kind.LIKE, Kind.COUNT, Kind.EVENT, Kind.FOLLOWERS_PAGE}  # in every region, whoever posts
ROUNDS = 24  # of finding the number of instances over which keys scatter


class Need(NamedTuple):
    """Of one resource of one tier, in each world: nodes at the fleet's own limits, and nodes that would just be full."""

    nodes: Floats
    full: Floats


class TierNeed(NamedTuple):
    """`nodes`: whole nodes a region, at the limits of the fleet. `by`: the same by resource."""

    nodes: Floats
    by: Mapping[str, Need]
    hot_x: Floats

    def binding(self, world: int) -> str:
        """The resource that asks for most."""
        return max(self.by, key=lambda name: float(self.by[name].nodes[world]))

    def used(self, have: int) -> dict[str, Floats]:
        """How full `have` nodes are, by resource: 1 is full."""
        return {name: need.full / max(have, 1e-9) for name, need in self.by.items()}


class Surrogate(NamedTuple):
    """A fleet, what its calls take, and where its load comes from. `error` compares with full runs: [(metric, here, there)]."""

    fleet: Fleet
    works: Works
    loads: Loads | None = None
    base: Worlds | None = None
    error: Sequence[tuple[str, float, float]] = ()
    region_lost: bool = False

    @property
    def basis(self) -> str:
        """Where the counts come from."""
        return "estimate" if self.loads is None else self.loads.basis

    @property
    def unsized(self) -> list[Tier]:
        """Tiers without a trustworthy prior of their work."""
        return self.works.untrusted

    def rates(self, worlds: Worlds, primaries: Floats) -> dict[Kind, Rate]:
        """Operations a second, the mean of a day."""
        if self.loads is None:
            found = estimated(worlds, self.fleet, primaries)
        else:
            found = scaled(self.loads, worlds, self.base or worlds, self.fleet, primaries)
        x = region_x(self.fleet, worlds["peak"], lost=self.region_lost)
        return {kind: rate if kind in WRITTEN_EVERYWHERE else Rate(*(part * x for part in rate)) for kind, rate in found.items()}

    def needs(self, worlds: Worlds) -> dict[Tier, TierNeed]:
        """What every tier must have in each world, for the nodes that it would then have."""
        return {Tier.REDIS: self.need(worlds, Tier.REDIS), **self.others(worlds)}

    def need(self, worlds: Worlds, tier: Tier) -> TierNeed:
        """What one tier must have, for the nodes that it would then have."""
        if tier is Tier.REDIS:
            return self.redis(worlds, self.found_primaries(worlds))
        return self.others(worlds, (tier,))[tier]

    def used(self, worlds: Worlds) -> dict[Tier, dict[str, Floats]]:
        """How full the named nodes are, by tier and resource. Tiers without named nodes are left out."""
        found: dict[Tier, dict[str, Floats]] = {}
        if self.fleet.redis.nodes:
            primaries = np.full(worlds.number, float(self.fleet.redis_primaries))
            found[Tier.REDIS] = self.redis(worlds, primaries).used(self.fleet.redis.nodes)
        for tier, need in self.others(worlds).items():
            nodes = getattr(self.fleet, tier).nodes
            if nodes:
                found[tier] = need.used(nodes)
        return found

    def found_primaries(self, worlds: Worlds) -> Floats:
        """The number of serving instances that is enough for the load that it makes: more instances, more calls a page."""
        primaries = np.full(worlds.number, 100.0)
        for _ in range(ROUNDS):
            need = self.redis(worlds, primaries)
            before, primaries = primaries, np.maximum(1.0, need.nodes * self.fleet.redis_a_node / self.fleet.redis.copies)
            if np.allclose(before, primaries, rtol=1e-3):
                break
        return primaries

    def redis(self, worlds: Worlds, primaries: Floats) -> TierNeed:
        """Redis: one core an instance, a hot key on one of them, memory by encoding, network."""
        fleet, redis = self.fleet, self.fleet.redis
        rates = self.rates(worlds, primaries)
        busy = self._work(worlds, rates, Tier.REDIS) * worlds["peak"]
        hot = self._hot_key(worlds, rates)
        factor = np.full(worlds.number, float((self.loads.hot_shard_x if self.loads else {}).get("redis", 1.0)))
        each = fleet.redis_a_node / redis.copies
        spread = np.maximum(redis.rho_max - hot, 0.05)
        cpu = Need(busy * factor / spread / each, busy * factor / np.maximum(1 - hot, 0.05) / each)
        machine, total = fleet.machine("redis"), self.memory(worlds).total + np.zeros(worlds.number)
        memory = Need(total / (machine.memory * redis.fill), total / machine.memory)
        moved = self._bytes(rates, Tier.REDIS) * worlds["peak"]
        net = Need(moved / (machine.net * NET_FULL), moved / machine.net)
        return _tier({"cpu": cpu, "memory": memory, "network": net}, redis.copies, 1, factor + hot * primaries / np.maximum(busy, 1e-9))

    def memory(self, worlds: Worlds, encoding: Encoding | None = None) -> Memory:
        """Of all Redis nodes of a region; `encoding`: as it would be with another."""
        fleet = self.fleet
        measured = worlds[f"{encoding or fleet.encoding}_bytes"]
        one = timeline_bytes(measured, fleet.redis.entries)
        tweets = worlds["tweets_per_day"] * (STORED_TWEET + TWEET_OVERHEAD)
        people = worlds["weekly_active"] * (KEY + worlds["following"] * SET_MEMBER) + worlds["reads_per_day"] / 240 * PROFILE
        lists = CELEBRITIES * (KEY + LISTED * 25.0) * (max(1, fleet.redis_primaries) if fleet.redis.celebrity_lists == "redis" else 1)
        return held(
            worlds["weekly_active"], one, fleet.redis.entries, tweets + people + lists, fragmentation=worlds["fragmentation"],
            copies=fleet.redis.copies, cow=worlds["copy_on_write"] / fleet.redis_a_node,
        )  # fmt: skip

    def others(self, worlds: Worlds, tiers: Sequence[Tier] = (Tier.CASSANDRA, Tier.MYSQL, Tier.KAFKA, Tier.GATEWAY)) -> dict[Tier, TierNeed]:
        """Every tier but Redis."""
        ones = np.ones(worlds.number)
        rates = self.rates(worlds, ones * max(1, self.fleet.redis_primaries or 1_000))
        peak = worlds["peak"]
        sized = {Tier.CASSANDRA: self._cassandra, Tier.MYSQL: self._mysql, Tier.KAFKA: self._kafka, Tier.GATEWAY: self._gateway}
        return {tier: sized[tier](worlds, rates, peak) for tier in tiers}

    def _cassandra(self, worlds: Worlds, rates: Mapping[Kind, Rate], peak: Floats) -> TierNeed:
        tier, machine = self.fleet.cassandra, self.fleet.machine("cassandra")
        busy = self._work(worlds, rates, Tier.CASSANDRA, self._replicas) * peak
        cpu = Need(busy / (tier.rho_max * machine.vcpu), busy / machine.vcpu)
        bytes_ = worlds["tweets_per_day"] * STORED_TWEET * worlds["stored_amplification"] * 365 * tier.years * tier.replication
        disk = Need(bytes_ / min(tier.node_tib * TIB, machine.disk), bytes_ / min(tier.node_tib * TIB, machine.disk))
        net = _net(self._bytes(rates, Tier.CASSANDRA) * tier.replication * peak, machine.net)
        return _tier({"cpu": cpu, "disk": disk, "network": net}, tier.replication, self.fleet.zones, np.ones(worlds.number))

    def _mysql(self, worlds: Worlds, rates: Mapping[Kind, Rate], peak: Floats) -> TierNeed:
        tier, machine = self.fleet.mysql, self.fleet.machine("mysql")
        busy = self._work(worlds, rates, Tier.MYSQL) * peak
        cpu = Need(busy / (0.5 * machine.vcpu), busy / machine.vcpu)
        bytes_ = worlds["accounts"] * (1_000 + 90 * worlds["following"]) * tier.copies
        disk = machine.disk or 4 * TIB  # network disks where there are none of its own
        full = Need(bytes_ / (tier.fill * disk), bytes_ / disk)
        return _tier({"cpu": cpu, "disk": full}, tier.copies, 1, np.ones(worlds.number))

    def _kafka(self, worlds: Worlds, rates: Mapping[Kind, Rate], peak: Floats) -> TierNeed:
        tier, machine = self.fleet.kafka, self.fleet.machine("kafka")
        busy = self._work(worlds, rates, Tier.KAFKA) * tier.replication * peak
        cpu = Need(busy / (tier.rho_max * machine.vcpu), busy / machine.vcpu)
        written = self._bytes(rates, Tier.KAFKA)
        kept = written * 86_400 * tier.retention_days * tier.replication
        disk = machine.disk or 4 * TIB
        net = _net(written * (tier.replication + 2) * peak, machine.net)  # the copies, fan-out and social read each event
        return _tier({"cpu": cpu, "disk": Need(kept / (0.7 * disk), kept / disk), "network": net}, tier.replication, 1, np.ones(worlds.number))

    def _gateway(self, worlds: Worlds, rates: Mapping[Kind, Rate], peak: Floats) -> TierNeed:
        tier, machine = self.fleet.gateway, self.fleet.machine("gateway")
        busy = self._work(worlds, rates, Tier.GATEWAY) * peak
        cpu = Need(busy / (tier.rho_max * machine.vcpu), busy / machine.vcpu)
        net = _net(2 * self._bytes(rates, Tier.GATEWAY) * peak, machine.net)  # in from the stores, out to the reader
        return _tier({"cpu": cpu, "network": net}, 1, 1, np.ones(worlds.number))

    def _replicas(self, kind: Kind) -> float:
        """Copies that do the work of one operation: all of a write, a quorum of a read."""
        copies = self.fleet.cassandra.replication
        return float(copies if kind in {Kind.PUT_TWEET, Kind.LIKE, Kind.COUNT} else copies // 2 + 1)

    def _work(
        self, worlds: Worlds, rates: Mapping[Kind, Rate], tier: Tier, copies: Callable[[Kind], float] = lambda _kind: 1.0
    ) -> Floats:
        """Server-seconds a second, the mean of a day."""
        total = np.zeros(worlds.number)
        for kind, rate in rates.items():
            if TIER_OF[kind] is tier:
                base, element, byte = seconds(self.works, worlds, kind)
                if kind is Kind.PUSH:
                    element = self._push_seconds(worlds)
                    base = np.zeros(worlds.number) if self.fleet.redis.push == "pipeline" else base
                total = total + (rate.calls * base + rate.elements * element + rate.bytes * byte) * copies(kind)
        return total

    def _push_seconds(self, worlds: Worlds) -> Floats:
        place = worlds.times.get("redis.element_ns", np.full(worlds.number, 0.5))
        return at(PUSH_US[self.fleet.redis.push, self.fleet.encoding], place) * 1e-6

    def _hot_key(self, worlds: Worlds, rates: Mapping[Kind, Rate]) -> Floats:
        """Share of an instance that the most followed celebrity's list takes alone; nothing where all instances hold it."""
        if self.fleet.redis.celebrity_lists != "ttl":
            return np.zeros(worlds.number)
        base, element, _ = seconds(self.works, worlds, Kind.CELEB_LIST)
        processes = max(1, self.fleet.gateway.nodes * self.fleet.machine("gateway").vcpu)
        reads = rates[Kind.HOME_IDS].calls * worlds["peak"] * worlds["top_share"] * worlds["pull_weight"]
        return reads / (1 + reads * self.fleet.redis.lists_ttl_s / processes) * (base + LISTED * element)

    @staticmethod
    def _bytes(rates: Mapping[Kind, Rate], tier: Tier) -> Floats:
        found = [rate.bytes for kind, rate in rates.items() if TIER_OF[kind] is tier]
        total: Floats = np.sum(found, axis=0)
        return total


def _net(moved: Floats, machine: float) -> Need:
    return Need(moved / (machine * NET_FULL), moved / machine)


def _tier(by: Mapping[str, Need], least: int, step: int, hot_x: Floats) -> TierNeed:
    """Whole nodes, at least as many as there are copies, in steps (a step: one node a zone)."""
    nodes = np.max([need.nodes for need in by.values()], axis=0)
    whole = np.ceil(np.maximum(nodes, least) / step * (1 - 1e-12)) * step
    return TierNeed(whole, by, hot_x)


def home_p99_ms(surrogate: Surrogate, worlds: Worlds, used: Mapping[Tier, Mapping[str, Floats]]) -> Floats:
    """A home read's p99 by closed forms: the slowest of the shards that a page touches, stage after stage, each as M/M/1 at its
    utilisation. NaN where something is full: there is no steady state then."""
    works = surrogate.works
    total = np.zeros(worlds.number)
    stages = ((Kind.HOME_IDS, 1.0), (Kind.HYDRATE, 40.0), (Kind.HYDRATE_MISS, 4.0), (Kind.TWEET_COUNTS, 40.0), (Kind.REQUEST, 1.0))
    for kind, shards in stages:
        tier = TIER_OF[kind]
        rho = used.get(tier, {}).get("cpu", np.full(worlds.number, 0.5))
        base, element, _ = seconds(works, worlds, kind)
        one = base + element * (50.0 if shards == 1 else 2.0)
        net = at(works.ways[tier].net_us, worlds.times.get(f"{tier}.net_us", np.full(worlds.number, 0.5))) * 1e-6
        slowest = -math.log(-math.expm1(math.log(0.99) / shards))
        total = total + net + slowest * one / np.where(rho < 1, 1 - rho, np.nan)
    return total * 1e3

"""A fleet: which machines hold which tier, how many, and how they keep what they hold. From TOML, checked line by line.

`nodes = 0` means that the fleet does not name them: they are planned, not judged. Three fleets lie beside this file:
`design` (what the system design names, as it names it), and `ample` and `short`, planted to be judged yes and no.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from ...core.errors import Invalid
from ...core.settings_file import Setting, read_file
from .instances import Instance, prices
from .memory import Encoding, Layout, encoding_of

FOLDER = Path(__file__).with_name("fleets")
GB = 1e9


class Region(msgspec.Struct, frozen=True):
    """A part of the world: its share of the readers, and its clock."""

    name: str
    share: float
    utc_offset: float


class Redis(msgspec.Struct, frozen=True, kw_only=True):
    """One server is one core; a node runs as many as its memory and cores hold. `copies` counts the primary."""

    instance: str
    nodes: int = 0
    copies: int = 2
    instance_gb: float = 10.0
    fill: float = 0.6
    rho_max: float = 0.7
    layout: Layout = Layout.LIST
    entries: int = 800
    listpack_entries_max: int = 128
    push: str = "function"
    celebrity_lists: str = "events"
    lists_ttl_s: float = 1.0


class Cassandra(msgspec.Struct, frozen=True, kw_only=True):
    """Disk of a node counts up to `node_tib`: beyond it a lost node takes too long to rebuild."""

    instance: str
    nodes: int = 0
    replication: int = 3
    years: float = 5.0
    node_tib: float = 1.25
    rho_max: float = 0.6


class Mysql(msgspec.Struct, frozen=True, kw_only=True):
    """Users and follows, by logical shards."""

    instance: str
    nodes: int = 0
    shards: int = 256
    copies: int = 2
    fill: float = 0.7


class Kafka(msgspec.Struct, frozen=True, kw_only=True):
    """The event log."""

    instance: str
    nodes: int = 0
    partitions: int = 256
    replication: int = 3
    retention_days: float = 7.0
    rho_max: float = 0.6


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """Processes of the service, one a thread of the machine."""

    instance: str
    nodes: int = 0
    rho_max: float = 0.6


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """Objects; the CDN before them is named as excluded."""

    regions: int = 1
    years: float = 5.0


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes are those of one region; with several, each has as many."""

    name: str
    says: str = ""
    zones: int = 3
    regions: tuple[Region, ...] = (Region("all", 1.0, 0.0),)
    redis: Redis
    cassandra: Cassandra
    mysql: Mysql
    kafka: Kafka
    gateway: Gateway
    media: Media = Media()

    def machine(self, tier: str) -> Instance:
        """What the nodes of a tier are."""
        return prices().instances[getattr(self, tier).instance]

    @property
    def encoding(self) -> Encoding:
        """What Redis makes of a timeline."""
        return encoding_of(self.redis.layout, self.redis.entries, self.redis.listpack_entries_max)

    @property
    def redis_a_node(self) -> int:
        """Redis instances packed on a node: by memory, and one thread stays free for the rest of the machine."""
        machine = self.machine("redis")
        by_memory = int(machine.memory * self.redis.fill / (self.redis.instance_gb * GB) + 1e-9)
        return max(1, min(by_memory, machine.vcpu - 1))

    @property
    def redis_primaries(self) -> int:
        """Instances that serve; 0 where the nodes are not named."""
        return self.redis.nodes * self.redis_a_node // self.redis.copies


TIERS = ("redis", "cassandra", "mysql", "kafka", "gateway")
NODES = (0.0, 100_000.0)


class Key(NamedTuple):
    """What a line may set: whole numbers or not, from `least` to `most`, or one of `words`."""

    least: float = 0.0
    most: float = 0.0
    whole: bool = False
    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """For people."""
        if self.words:
            return " | ".join(self.words)
        return f"{'a whole number' if self.whole else 'a number'} from {self.least:g} to {self.most:g}"


KEYS: Mapping[str, Key] = {
    "zones": Key(1, 9, whole=True),
    **{f"{tier}.nodes": Key(*NODES, whole=True) for tier in TIERS},
    "redis.copies": Key(1, 5, whole=True), "redis.instance_gb": Key(0.1, 1024), "redis.fill": Key(0.05, 1),
    "redis.rho_max": Key(0.05, 1), "redis.layout": Key(words=tuple(Layout)), "redis.entries": Key(1, 100_000, whole=True),
    "redis.listpack_entries_max": Key(0, 100_000, whole=True), "redis.push": Key(words=("function", "pipeline")),
    "redis.celebrity_lists": Key(words=("redis", "ttl", "events")), "redis.lists_ttl_s": Key(0.01, 86_400),
    "cassandra.replication": Key(1, 9, whole=True), "cassandra.years": Key(0, 100), "cassandra.node_tib": Key(0.01, 100),
    "cassandra.rho_max": Key(0.05, 1), "mysql.shards": Key(1, 1e6, whole=True), "mysql.copies": Key(1, 9, whole=True),
    "mysql.fill": Key(0.05, 1), "kafka.partitions": Key(1, 1e6, whole=True), "kafka.replication": Key(1, 9, whole=True),
    "kafka.retention_days": Key(0.01, 3650), "kafka.rho_max": Key(0.05, 1), "gateway.rho_max": Key(0.05, 1),
    "media.regions": Key(1, 100, whole=True), "media.years": Key(0, 100),
}  # fmt: skip
REGION_KEYS = {"share": Key(1e-6, 1), "utc_offset": Key(-12, 14)}
TEXTS = ("name", "says")


def names() -> list[str]:
    """The fleets beside this file."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load_fleet(name: str = "design") -> Fleet:
    """One of `names()`, or a path. Raises `Invalid` with file, line and what is allowed."""
    path = FOLDER / f"{name}.toml" if name in names() else Path(name)
    found = read_file(path, str(path) if path.parent != FOLDER else path.name)
    if not found:
        raise Invalid(f"no fleet called {name}", field="fleet", meaning=f"allowed: {', '.join(names())}, or a TOML file")
    return _fleet(found, path.stem)


def _fleet(found: Mapping[str, Setting], stem: str) -> Fleet:
    tiers: dict[str, dict[str, object]] = {tier: {} for tier in (*TIERS, "media")}
    regions: dict[str, dict[str, float]] = {}
    top: dict[str, object] = {"name": stem}
    for key, setting in found.items():
        table, _, field = key.rpartition(".")
        if key in TEXTS:
            top[key] = str(setting.value)
        elif table.startswith("regions."):
            regions.setdefault(table.removeprefix("regions."), {})[field] = _number(key, setting, REGION_KEYS.get(field))
        elif field == "instance" and table in TIERS:
            tiers[table][field] = _instance(key, setting)
        else:
            value = _value(key, setting)
            (tiers[table] if table else top)[field] = value
    for tier in TIERS:
        if "instance" not in tiers[tier]:
            raise Invalid(f"{stem}: [{tier}] names no instance", field=f"{tier}.instance", meaning=_machines())
    fleet = msgspec.convert(top | tiers | ({"regions": _regions(regions, stem)} if regions else {}), Fleet)
    return _consistent(fleet, found)


def _value(key: str, setting: Setting) -> object:
    rule = KEYS.get(key)
    if rule is not None and rule.words:
        if setting.value not in rule.words:
            raise Invalid(f"{setting.source}: {key} = {setting.value!r}", field=key, meaning=f"allowed: {rule.allowed}")
        return setting.value
    value = _number(key, setting, rule)
    return int(value) if rule is not None and rule.whole else value


def _number(key: str, setting: Setting, rule: Key | None) -> float:
    if rule is None:
        known = [*KEYS, *(f"{tier}.instance" for tier in TIERS), *TEXTS]
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}, regions.NAME.share, regions.NAME.utc_offset"
        raise Invalid(f"{setting.source}: unknown key {key}", field=key, meaning=hint)
    value = setting.value
    good = isinstance(value, int | float) and not isinstance(value, bool) and rule.least <= value <= rule.most
    if not good or (rule.whole and value != int(value)):  # type: ignore[call-overload]  # a number, by the line above
        raise Invalid(f"{setting.source}: {key} = {value!r}", field=key, meaning=f"allowed: {rule.allowed}")
    return float(value)  # type: ignore[arg-type]  # as above


def _instance(key: str, setting: Setting) -> str:
    if setting.value not in prices().instances:
        raise Invalid(f"{setting.source}: {key} = {setting.value!r} is not in the price list", field=key, meaning=_machines())
    return str(setting.value)


def _machines() -> str:
    return f"allowed: {', '.join(sorted(prices().instances))}"


def _regions(given: Mapping[str, Mapping[str, float]], stem: str) -> list[dict[str, object]]:
    total = sum(region.get("share", 0.0) for region in given.values())
    if abs(total - 1) > 1e-6:
        what = f"{stem}: the shares of the regions add up to {total:g}"
        raise Invalid(what, field="regions", meaning="allowed: 1, all readers once")
    return [{"name": name, "share": one["share"], "utc_offset": one.get("utc_offset", 0.0)} for name, one in given.items()]


def _consistent(fleet: Fleet, found: Mapping[str, Setting]) -> Fleet:
    """What no single line shows."""
    redis, cassandra, kafka = fleet.redis, fleet.cassandra, fleet.kafka
    for key, nodes, least, why in (
        ("redis.nodes", redis.nodes, redis.copies, "copies of a row lie on different nodes"),
        ("cassandra.nodes", cassandra.nodes, cassandra.replication, "copies lie on different nodes"),
        ("kafka.nodes", kafka.nodes, kafka.replication, "copies lie on different nodes"),
    ):
        if 0 < nodes < least:
            where = found[key].source
            raise Invalid(f"{where}: {key} = {nodes}", field=key, meaning=f"allowed: 0 (not named) or at least {least}: {why}")
    memory = fleet.machine("redis").memory
    if redis.instance_gb * GB > memory:
        where = found["redis.instance_gb"].source if "redis.instance_gb" in found else fleet.name
        what = f"{where}: redis.instance_gb = {redis.instance_gb:g} on a {redis.instance}"
        raise Invalid(what, field="redis.instance_gb", meaning=f"allowed: at most its memory, {memory / GB:.1f}")
    if fleet.machine("cassandra").disk == 0:
        where = found["cassandra.instance"].source
        raise Invalid(f"{where}: a {cassandra.instance} has no local disk", field="cassandra.instance", meaning="allowed: i3en.*, i4i.*")
    return fleet

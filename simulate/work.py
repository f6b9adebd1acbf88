"""What a call costs its server: priors of work by kind, and worlds drawn from their intervals.

`work(kind, elements, bytes, theta)` is seconds; theta is one world, drawn or in the middle. Times live here and in the TOML
files beside; counts never do. A kind without a trustworthy prior says so: runs use it, nobody sizes by it.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import Invalid
from .kinds import TIER_OF, Kind, Tier
from .queues.model import Floats, Ints

FOLDER = Path(__file__).parent / "work"
PARTS = {"base_us": 1e-6, "element_ns": 1e-9, "byte_ns": 1e-9}


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and how wrong it may be."""

    value: float
    low: float
    high: float

    def at(self, u: float) -> float:
        """The value of a world: the middle for u = 1/2, the ends for 0 and 1, geometric between where it can be."""
        a, b, share = (self.low, self.value, 2 * u) if u < 0.5 else (self.value, self.high, 2 * u - 1)
        return a * (b / a) ** share if a > 0.0 else a + (b - a) * share


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of one kind's work; `trusted` false: not enough to size by."""

    kind: Kind
    parts: Mapping[str, Interval]  # base_us, element_ns, byte_ns
    source: str
    date: str
    trusted: bool


@dataclass(frozen=True, slots=True)
class Way:
    """A tier's own: how much the work of equal calls varies, and the network there and back."""

    variation: float
    net_us: Interval
    source: str


@dataclass(frozen=True, slots=True)
class Works:
    """A file of priors."""

    name: str
    date: str
    priors: Mapping[Kind, Prior]
    ways: Mapping[Tier, Way]

    @property
    def untrusted(self) -> list[Tier]:
        """Tiers that cannot be sized before `calibrate`: `unsized`."""
        return sorted({TIER_OF[kind] for kind, prior in self.priors.items() if not prior.trusted})

    def variation(self, tier: Tier, kinds: tuple[Kind, ...]) -> tuple[float, ...]:
        """As a server's model takes it."""
        return (self.ways[tier].variation,) * len(kinds)

    def inputs(self) -> dict[str, Interval]:
        """Everything that a world draws, by name; what varies together (one store's machine) is one input."""
        drawn: dict[str, Interval] = {}
        for kind, prior in self.priors.items():
            for part, interval in prior.parts.items():
                drawn.setdefault(f"{TIER_OF[kind]}.{kind.name.lower()}.{part}", interval)
        return drawn | {f"{tier}.net_us": way.net_us for tier, way in self.ways.items()}


@dataclass(frozen=True, slots=True)
class Theta:
    """One world: seconds by kind (base, element, byte) and by tier (network)."""

    number: int
    base: Floats  # [Kind]
    element: Floats
    byte: Floats
    net_us: Mapping[Tier, float]
    draws: Mapping[str, float]  # by `tier.part`: where in its interval this world stands


def work(kind: Kind, elements: int, bytes: int, theta: Theta) -> float:  # noqa: A002 - the contract's word
    """Seconds of a server for one call."""
    return float(theta.base[kind] + elements * theta.element[kind] + bytes * theta.byte[kind])


def mean_work(kinds: tuple[Kind, ...], calls: Ints, elements: Ints, sizes: Ints, theta: Theta) -> Floats:
    """[kind, shard] mean seconds of a call, from totals [kind, shard]; where there is no call, of an empty one."""
    rows = [int(kind) for kind in kinds]
    each = np.maximum(calls, 1)
    more = elements / each * theta.element[rows, None] + sizes / each * theta.byte[rows, None]
    seconds: Floats = theta.base[rows, None] + more
    return seconds


def middle(works: Works) -> Theta:
    """The world of all middle values."""
    return _world(works, 0, {})


def draw(works: Works, seed: int, number: int, fixed: Mapping[str, float] | None = None) -> Theta:
    """World `number` of a Monte Carlo; `fixed` holds some draws (`redis.base_us`: 0.5) where they are."""
    from .queues.chance import key_of, split  # noqa: PLC0415 - brings the compiler, which plans and fleets do without

    names = [f"{tier}.{part}" for tier in works.ways for part in (*PARTS, "net_us")]
    draws = {name: split((key_of(seed, "world", number, name) >> 11) * 2**-53, 0) for name in names}
    return _world(works, number, draws | dict(fixed or {}))


def open_work(name: str = "design") -> Works:
    """The priors of a file beside this module, or of one's own (a path). Raises `Invalid` naming the line."""
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml")))
        raise Invalid(f"no work priors called {name}", field="work", try_=f"one of {known}, or a path ending in .toml")
    return read_work(path.read_text(encoding="utf-8"), str(path))


def read_work(text: str, where: str) -> Works:
    """The priors of a TOML text."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise Invalid(f"{where}: {e}", field="work") from e
    page = _Page(text, where)
    page.only(raw, "", {"name", "date", "sources", "tiers", "kinds"})
    sources = {str(k): str(v) for k, v in page.table(raw, "", "sources").items()}
    tiers, kinds = page.table(raw, "", "tiers"), page.table(raw, "", "kinds")
    page.only(tiers, "tiers", {tier.value for tier in Tier})
    page.only(kinds, "kinds", {kind.name for kind in Kind})
    date = str(raw.get("date", ""))
    ways = {Tier(name): page.way(tiers, name, sources) for name in tiers}
    priors = {Kind[name]: page.prior(kinds, name, sources, date) for name in kinds}
    for kind in Kind:
        if kind not in priors or TIER_OF[kind] not in ways:
            raise Invalid(f"{where}: nothing about {kind.name} or its tier {TIER_OF[kind]}", field=f"kinds.{kind.name}")
    return Works(str(raw.get("name", where)), date, priors, ways)


@dataclass(frozen=True, slots=True)
class _Page:
    """A text and its name, to say where something is wrong."""

    text: str
    where: str

    def table(self, raw: Mapping[str, object], section: str, name: str) -> dict[str, object]:
        found = raw.get(name, {})
        if not isinstance(found, dict):
            raise self.wrong(section, name, "must be a table")
        return found

    def only(self, raw: Mapping[str, object], section: str, allowed: set[str]) -> None:
        for name in raw:
            if name not in allowed:
                raise self.wrong(section, name, f"unknown; allowed: {', '.join(sorted(allowed))}")

    def way(self, tiers: Mapping[str, object], name: str, sources: Mapping[str, str]) -> Way:
        raw, section = self.table(tiers, "tiers", name), f"tiers.{name}"
        self.only(raw, section, {"variation", "net_us", "source"})
        variation = raw.get("variation", 0.0)
        if not isinstance(variation, int | float) or isinstance(variation, bool) or not 0.0 <= variation <= 10.0:
            raise self.wrong(section, "variation", "must be a number from 0 to 10")
        return Way(float(variation), self.interval(raw, section, "net_us"), self.source(raw, section, sources))

    def prior(self, kinds: Mapping[str, object], name: str, sources: Mapping[str, str], date: str) -> Prior:
        raw, section = self.table(kinds, "kinds", name), f"kinds.{name}"
        self.only(raw, section, {*PARTS, "source", "trusted", "date"})
        parts = {part: self.interval(raw, section, part) for part in PARTS}
        if parts["base_us"].low <= 0.0:
            raise self.wrong(section, "base_us", "a call takes more than nothing")
        trusted, source = bool(raw.get("trusted", True)), self.source(raw, section, sources)
        return Prior(Kind[name], parts, source, str(raw.get("date", date)), trusted)

    def interval(self, raw: Mapping[str, object], section: str, name: str) -> Interval:
        found = self.table(raw, section, name)
        self.only(found, f"{section}.{name}", {"value", "low", "high"})
        value, low, high = (found.get(key) for key in ("value", "low", "high"))
        numbers = [x for x in (value, low, high) if isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)]
        if len(numbers) < 3 or not 0.0 <= numbers[1] <= numbers[0] <= numbers[2]:
            raise self.wrong(section, name, "must be { value, low, high } with 0 <= low <= value <= high")
        return Interval(float(numbers[0]), float(numbers[1]), float(numbers[2]))

    def source(self, raw: Mapping[str, object], section: str, sources: Mapping[str, str]) -> str:
        name = str(raw.get("source", ""))
        if name not in sources:
            raise self.wrong(section, "source", f"must be one of {', '.join(sources)}")
        return sources[name]

    def wrong(self, section: str, name: str, what: str) -> Invalid:
        lines = self.text.splitlines()
        start = next((i for i, line in enumerate(lines) if line.strip().startswith(f"[{section}")), 0)
        at = next((i for i in range(start, len(lines)) if name in lines[i]), start)
        return Invalid(f"{self.where}:{at + 1}: {section + '.' if section else ''}{name}: {what}", field=f"{section}.{name}")


def _world(works: Works, number: int, draws: Mapping[str, float]) -> Theta:
    columns = {part: np.zeros(len(Kind)) for part in PARTS}
    for kind, prior in works.priors.items():
        for part, unit in PARTS.items():
            columns[part][kind] = unit * prior.parts[part].at(draws.get(f"{TIER_OF[kind]}.{part}", 0.5))
    net = {tier: way.net_us.at(draws.get(f"{tier}.net_us", 0.5)) for tier, way in works.ways.items()}
    return Theta(number, columns["base_us"], columns["element_ns"], columns["byte_ns"], net, dict(draws))

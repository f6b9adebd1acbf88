"""Rung 6: the same peak load through the models of Netflix's service-capacity-modeling: nodes and yearly cost beside ours.

Its models size what Netflix runs (Cassandra, EVCache for our Redis, Kafka) by other rules than ours, from the same prices. Where
the two differ by more than two times, the reason must be known; that the reason is stated is what holds here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import Unsupported
from ..fleet.cost import tier_cost
from ..fleet.fleet import load_fleet
from ..fleet.loads import Rate
from ..fleet.plan import Planned, Settings, plan
from ..fleet.surrogate import STORED_TWEET, Surrogate
from ..fleet.worlds import read_inputs
from ..kinds import TIER_OF, Kind, Tier
from ..work import open_work
from . import scm_models

GIB = 2**30
TWICE = 2.0
WORLDS = 128
WRITES = {Kind.PUSH, Kind.REBUILD_WRITE, Kind.PUT_TWEET, Kind.LIKE, Kind.COUNT, Kind.EVENT}
MODELS = {Tier.CASSANDRA: "org.netflix.cassandra", Tier.REDIS: "org.netflix.evcache", Tier.KAFKA: "org.netflix.kafka"}
# Their bounds of one cluster are lifted: the question is what the load takes, not whether one cluster may be so large.
ARGUMENTS: dict[Tier, dict[str, object]] = {
    Tier.CASSANDRA: {"max_regional_size": 10_000, "copies_per_region": 3, "require_local_disks": True},
    Tier.REDIS: {"copies_per_region": 2},
    Tier.KAFKA: {"copies_per_region": 3, "retention": "P7D", "require_local_disks": True},
}
WHY = {
    Tier.CASSANDRA: "both are bound by disk, at 1.25 TiB a node; theirs takes for granted that tables compress 3:1, ours that they take what stored_amplification "
    "says; uncompressed, theirs would need three times as many. Its nodes (2.3 TiB, 4 vCPU) are cheaper than ours (1.7 TiB, 8 vCPU)",
    Tier.REDIS: "theirs is EVCache, which keeps what is seldom asked for on the flash of its nodes; ours is Redis, all in memory: bound by it, with what "
    "fragmentation and copy on write add, and 60 % filled",
    Tier.KAFKA: "about as many nodes, of other types: theirs is the cheapest that holds the disks (2 vCPU), ours the one type that the fleet names (8 vCPU)",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Nodes or dollars a year of one tier. `why`: where they differ by more than two times."""

    tier: str
    what: str
    ours: float
    theirs: float
    why: str

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours / self.theirs if self.theirs else float("inf")

    @property
    def holds(self) -> bool:
        """Whether they agree within two times, or it is told why not."""
        return 1 / TWICE <= self.ratio <= TWICE or bool(self.why)


def compare(python: str = sys.executable) -> list[Row]:
    """The rows. `python`: an interpreter that has the package. Raises `Unsupported` where it has not."""
    found = plan(Surrogate(load_fleet("open"), open_work()), read_inputs(), Settings(WORLDS))
    rows = []
    for asked, answer in zip(asking := questions(found), _answered(asking, python), strict=True):
        tier = Tier(asked["tier"])
        ours = next(one for one in found.tiers if one.tier == tier.value)
        nodes = ours.nodes_p50 or 0
        machine = getattr(found.planned.fleet, tier.value).instance
        cost = tier_cost(found.planned.fleet, tier.value, nodes)
        theirs = f"{MODELS[tier].rpartition('.')[2]} {answer['version']}"
        rows += [
            _row(tier, f"nodes needed ({machine}) against {theirs} ({answer['instance'] or 'no plan'})", float(nodes), float(answer["nodes"])),
            _row(tier, f"dollars a year of nodes against {theirs}", cost, float(answer["cost_yr"])),
        ]
    return rows


def _row(tier: Tier, what: str, ours: float, theirs: float) -> Row:
    row = Row(tier.value, what, ours, theirs, "")
    return row if row.holds else Row(tier.value, what, ours, theirs, WHY[tier])


def questions(found: Planned) -> list[dict[str, Any]]:
    """What each of their models is asked: operations a second at the peak, sizes, and what is kept once."""
    world, fleet = found.middle, found.planned.fleet
    rates = found.planned.rates(world, found.planned.found_primaries(world))
    peak, tweets = float(world["peak"][0]), float(world["tweets_per_day"][0])
    memory = found.planned.memory(world)
    state = {
        Tier.CASSANDRA: tweets * STORED_TWEET * float(world["stored_amplification"][0]) * 365 * fleet.cassandra.years,
        Tier.REDIS: float(np.max(memory.payload) + np.max(memory.encoding)),
        Tier.KAFKA: float(rates[Kind.EVENT].bytes[0]) * 86_400 * fleet.kafka.retention_days,
    }
    asked = []
    for tier, model in MODELS.items():
        reads, read_bytes = _asked(rates, tier, peak, writes=False)
        writes, write_bytes = _asked(rates, tier, peak, writes=True)
        if tier is Tier.KAFKA:
            reads, read_bytes = 2.0, write_bytes  # groups that read everything
        asked.append({
            "tier": tier.value, "model": model, "arguments": ARGUMENTS[tier], "reads": reads, "writes": writes,
            "read_bytes": read_bytes, "write_bytes": write_bytes, "state_gib": state[tier] / GIB,
        })  # fmt: skip
    return asked


def _asked(rates: Mapping[Kind, Rate], tier: Tier, peak: float, *, writes: bool) -> tuple[float, float]:
    """Operations a second at the peak, and bytes of one."""
    mine = [rate for kind, rate in rates.items() if TIER_OF[kind] is tier and (kind in WRITES) == writes]
    calls, moved = sum(float(one.calls[0]) for one in mine), sum(float(one.bytes[0]) for one in mine)
    return calls * peak, moved / max(calls, 1e-9)


def _answered(asked: Sequence[Mapping[str, Any]], python: str) -> list[dict[str, Any]]:
    command = [python, str(Path(scm_models.__file__))]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False)  # noqa: S603 - our own
    if done.returncode == 3:
        meaning = "It wants Python below 3.13 and SciPy below 1.17; another interpreter that has it will do: --capacity-python."
        raise Unsupported(f"service-capacity-modeling is not installed: {done.stderr.strip()}", code="NO_CAPACITY", meaning=meaning, try_="pip install 'twit[capacity]'")
    if done.returncode:
        raise Unsupported(f"service-capacity-modeling failed: {done.stderr.strip()[-300:]}", code="CAPACITY_FAILED")
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers

"""`run(scenario)`: from a scenario to its document, with its variants played beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import NamedTuple

import msgspec

from ..kinds import Tier
from ..verdict_schema import Document, Variant
from .check import surrogate_errors
from .deliveries import classes, extra_pushes, ways
from .engine import Engine, Played, Seen
from .prepare import Prepared, Told, prepare
from .reasons import told_recovery
from .rule_regret import rule_regret
from .sample import Watch, sample
from .scenario import Delivery, Happening, Scenario
from .verdict import Found, document, plan_of

SIDE_S = 900.0  # a variant is played this long after the first thing that happens

Clock = Callable[[], float]


class Ran(NamedTuple):
    """The document, and what it was made of for who wants to look closer."""

    document: Document
    found: Found


def run(
    scenario: Scenario, variants: Mapping[str, Scenario], *, workers: int = 2, commit: str = "", work: str = "design", keep: bool = True,
    core: bool = True, check: int = 0, tell: Told | None = None, clock: Clock = perf_counter,
) -> Ran:  # fmt: skip
    """Play it; with `core`, a gateway process of the real core among it; `check`: worlds of the surrogate that are played beside
    it. The same scenario gives the same document but `timing`. Raises `Invalid`."""
    say = tell or (lambda _step, _done, _total: None)
    began = clock()
    prepared = prepare(scenario, workers=workers, tell=say, work=work, keep=keep)
    counted = clock()
    watch = Watch(prepared, scenario) if core else None
    played = _played(prepared, scenario, workers, lambda done, total: say("minutes", done, total), watch.seen if watch else None)
    queued = clock()
    through = sample(prepared, watch, tell=lambda done, total: say("core", done, total)) if watch else None
    sampled = clock()
    posts = [event for event in scenario.events if event.kind is Happening.POST]
    planned = plan_of(prepared, lambda done, _what: say("plan", done, 6))
    found = Found(
        prepared=prepared, played=played, ways=ways(prepared, posts[0]) if posts else [], classes=classes(prepared),
        planned=planned, core=through, regrets=rule_regret(prepared),
        errors=surrogate_errors(prepared, planned, check, workers=workers, tell=lambda done, total: say("worlds", done, total)) if check else (),
    )  # fmt: skip
    beside = []
    for number, (name, other) in enumerate(variants.items()):
        say("variants", number, len(variants))
        beside.append(_beside(prepared, name, other, workers))
    timing = {"prepare_s": counted - began, "queues_s": queued - counted, "core_s": sampled - queued, "rest_s": clock() - sampled}
    made = document(found, run_id=run_id(scenario, work), commit=commit, timing={name: round(value, 3) for name, value in timing.items()})
    return Ran(msgspec.structs.replace(made, variants=beside), found)


def run_id(scenario: Scenario, work: str) -> str:
    """A name for the run that its inputs alone decide: the same run has the same name."""
    digest = hashlib.sha256(msgspec.json.encode([scenario, work], order="deterministic")).hexdigest()[:8]
    return f"sim-{scenario.name}-{scenario.seed}-{digest}"


def _played(
    prepared: Prepared, scenario: Scenario, workers: int, progress: Callable[[int, int], None] | None = None, seen: Seen | None = None
) -> Played:
    pushed = [extra_pushes(prepared._replace(scenario=scenario), event) for event in scenario.events]
    engine = Engine(
        scenario, prepared.loads, prepared.theta, prepared.people, prepared.day.widths.mean_by_reads, workers=workers,
        more=lambda minute: [extra for one in pushed for extra in one.get(minute, [])], seen=seen,
    )  # fmt: skip
    return engine.play(progress)


def _beside(prepared: Prepared, name: str, other: Scenario, workers: int) -> Variant:
    """A variant: on the same day where it is the same, for as long as it takes to see the difference."""
    first = min((event.at_s for event in other.events), default=0.0)
    short = msgspec.structs.replace(other, duration_s=min(other.duration_s, first + SIDE_S))
    there = prepared if same_day(prepared.scenario, other) else prepare(other, workers=workers)
    played = _played(there, short, workers)
    worst = [row.p99_ms for row in played.rows if row.p99_ms is not None]
    recovery = told_recovery(played)
    return Variant(
        name=name, home_p99_ms=max(worst, default=None), failed_share=played.failed_share, rebuilds=sum(row.rebuilds for row in played.rows),
        recovered_s=recovery.recovered_s if recovery else None, metastable=recovery.metastable if recovery else None,
        redis_rho_peak=max(row.rho_busiest[Tier.REDIS] for row in played.rows),
    )  # fmt: skip


def same_day(one: Scenario, other: Scenario) -> bool:
    """Whether both count the same day on the same fleet: they differ in what happens, or in how it is met."""
    return _day_of(one) == _day_of(other)


def _day_of(scenario: Scenario) -> Scenario:
    rule = msgspec.structs.replace(scenario.rule, delivery=Delivery.HYBRID, single_flight=True, jitter_s=0.05)
    return msgspec.structs.replace(scenario, rule=rule, events=(), variants={}, slo={})

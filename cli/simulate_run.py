"""simulate run: play a scenario and answer with a verdict. The playing is in simulate/run/, the scenarios in scenarios/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import command
from .invocation import terminal
from .output import Sheet

if TYPE_CHECKING:
    from ..simulate.run.play import Ran
    from ..simulate.verdict_schema import Document

COLUMNS = {
    "tier": "tier", "nodes": "nodes", "shards": "instances", "rho": "rho_mean", "peak": "rho_peak", "hot x": "hot_shard_x", "status": "status",
}  # fmt: skip
SWEPT = {
    "value": "value", "holds": "holds", "held": "held", "home p99 ms": "home_read_p99_ms", "worst ms": "worst_ms", "failed": "error_share",
    "binds": "binds", "full": "utilisation", "$ a year": "cost_yr",
}  # fmt: skip
KEPT = "interrupted; no run was recorded. What was counted of the day is kept: the same run goes on from there"
COMPARED = {"field": "field", "before": "before", "now": "now", "ratio": "ratio"}


@command(
    "run",
    examples=(
        "twit simulate run", "twit simulate run celebrity-spike --fail-if 'home_read_p99_ms>200'",
        "twit simulate run steady --users 5M --duration 2h --set fleet.file=ample", "twit simulate run growth --sweep population.users=100M,500M",
        "twit simulate run celebrity-spike --set events.spike.followers=30M --compare last", "twit simulate run --replay last",
    ),
)  # fmt: skip
@click.argument("scenario", default="steady", metavar="[SCENARIO]")
@click.option("--users", metavar="N", help="Accounts, as 500M (nearest feasible).")
@click.option("--duration", metavar="TIME", help="Virtual time, as 24h.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Of all chance: the same seed gives the same bytes.")
@click.option("--mode", type=click.Choice(("drawn", "exact")), help="How deliveries are counted.")
@click.option("--set", "settings", multiple=True, metavar="K=V", help="Any key of a scenario: rule.lists=redis, fleet.file=mine.toml, events.spike.followers=50M.")
@click.option("--sweep", metavar="K=A,B,C", help="Play it once for each value and compare.")
@click.option("--fail-if", "thresholds", multiple=True, metavar="METRIC>N", help="Exit 4 if so; takes the place of the scenario's own promise about that metric.")
@click.option("--compare", metavar="RUN", help="Show what changed against a recorded run, by id or last.")
@click.option("--replay", metavar="RUN", help="Play a recorded run again: the same bytes, or exit 4.")
@click.option("--variants/--no-variants", default=True, help="Play the scenario's variants beside it.")
@click.option("--core/--no-core", default=True, help="Have a gateway process of the real core serve the seconds around the first event.")
@click.option("--check-surrogate", "check", type=click.IntRange(0, 64), default=0, metavar="N", help="Play N worlds of the plan beside its fast stand-in; 8 for a record.")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads; no result depends on it. One a core if not given.")
@click.option("--work", default="design", metavar="FILE", help="What calls take: design, or what calibrate wrote.")
@click.option("--record/--no-record", default=True, help="Keep a run folder.")
def run(
    scenario: str, *, users: str | None, duration: str | None, seed: int | None, mode: str | None, settings: tuple[str, ...], sweep: str | None,
    thresholds: tuple[str, ...], compare: str | None, replay: str | None, variants: bool, core: bool, check: int, workers: int | None,
    work: str, record: bool,
) -> None:
    """Play a scenario on a population and say whether the fleet holds; exit 4 if it does not.

    Scenarios: steady, celebrity-spike, thundering-herd, redis-node-loss, growth, or a TOML file. The day is counted once and kept;
    queues of all tiers and a sample of home pages are played minute by minute, and on until everything has recovered. Ctrl-C while
    counting keeps what is counted: the same run again goes on from there.
    """
    from ..scenarios import asking
    from .simulate_records import Asked, kept, recorded

    named = {"population.users": users, "run.duration": duration, "run.seed": seed, "run.mode": mode}
    changes = {key: value for key, value in named.items() if value is not None} | asking.settings(settings) | asking.thresholds(thresholds)
    if replay:
        _replayed(replay, workers)
        return
    if sweep:
        key, values = asking.sweep(sweep)
        _swept(scenario, changes, key, values, workers=workers, work=work)
        return
    before = recorded(compare) if compare else None
    ran = _play(scenario, changes, variants=variants, core=core, check=check, workers=workers, work=work)
    if record:
        terminal().say(f"run {kept(Asked(scenario, changes, variants, work, core, check), ran.document)}")
    if before is None:
        _show(ran)
    else:
        _compare(before.document, ran.document)
    _exit(ran.document, scenario)


def _play(
    scenario: str, changes: Mapping[str, object], *, variants: bool, core: bool, workers: int | None, work: str, check: int = 0
) -> Ran:
    import os

    from .. import __version__
    from ..scenarios.loader import load_scenario, varied
    from ..simulate.run.play import run as play

    asked = load_scenario(scenario, changes)
    beside = {name: varied(scenario, changes, name) for name in asked.variants} if variants else {}
    try:
        with terminal().progress(asked.name, None) as bar:
            return play(asked, beside, workers=workers or os.cpu_count() or 1, commit=__version__, work=work, core=core, check=check, tell=bar.step)
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(KEPT) from stopped


def _show(ran: Ran) -> None:
    from ..simulate.run.text import lines
    from ..simulate.verdict_schema import plain

    scenario = ran.found.prepared.scenario
    document = plain(ran.document)
    rows = document["tiers"]
    told = list(lines(ran.document, scenario, scenario.fleet))
    terminal().show(Sheet(rows=rows if isinstance(rows, list) else [], columns=COLUMNS, name="tier", document=document, lines=told))


def _exit(document: Document, name: str) -> None:
    from ..core.errors import Mismatch

    if document.verdict.holds:
        return
    broken = [slo.limit for slo in document.verdict.slo if not slo.holds]
    binding = document.verdict.binding
    short = f"{binding.tier} {binding.resource} binds" if binding and (binding.headroom_x or 1) < 1 else ""
    metastable = "it does not recover by itself" if document.verdict.metastable else ""
    what = "; ".join(one for one in (short, metastable, *(f"{limit} does not hold" for limit in broken)) if one)
    raise Mismatch(f"{name}: {what}", meaning=f"Resources fit in {document.verdict.held or 0:.0%} of worlds.", try_="twit simulate plan")


def _swept(scenario: str, changes: Mapping[str, object], key: str, values: Sequence[object], *, workers: int | None, work: str) -> None:
    from ..core.errors import Mismatch
    from ..simulate.verdict_schema import plain

    rows: list[dict[str, object]] = []
    documents = []
    for value in values:
        document = _play(scenario, {**changes, key: value}, variants=False, core=False, workers=workers, work=work).document
        verdict, binding = document.verdict, document.verdict.binding
        home = next((one for one in document.latency if one.cohort == "warm"), None)
        worst = {slo.metric: slo.worst for slo in verdict.slo}
        rows.append({
            "value": value, "holds": verdict.holds, "held": verdict.held, "home_read_p99_ms": home.p99 if home else None,
            "worst_ms": worst.get("home_read_p99_ms"), "error_share": worst.get("error_share"),
            "binds": f"{binding.tier} {binding.resource}" if binding else "", "utilisation": binding.utilisation if binding else None,
            "cost_yr": document.cost.total if document.cost else None,
        })  # fmt: skip
        documents.append({"key": key, "value": value, "document": plain(document)})
    terminal().show(Sheet(rows=rows, columns=SWEPT, name="value", document={"schema": "twit.sweep/1", "points": documents}))
    if not any(row["holds"] for row in rows):
        raise Mismatch(f"{scenario}: holds for no {key} of {len(rows)}", try_="twit simulate plan")


def _compare(before: Document, now: Document) -> None:
    from .simulate_records import differences

    rows = differences(before, now)
    terminal().show(Sheet(rows=rows, columns=COMPARED, name="field", document={"schema": "twit.compare/1", "rows": rows}))


def _replayed(name: str, workers: int | None) -> None:
    from ..core.errors import Mismatch
    from .simulate_records import recorded, same

    before = recorded(name)
    asked = before.asked
    ran = _play(asked.scenario, asked.changes, variants=asked.variants, core=asked.core, check=asked.check, workers=workers, work=asked.work)
    _show(ran)
    if not same(before.document, ran.document):
        raise Mismatch(
            f"{before.run_id} was played again and came out otherwise", meaning="the code, the files it reads, or the libraries are others than then",
            try_=f"twit simulate run --compare {before.run_id}",
        )  # fmt: skip
    terminal().say(f"the same as {before.run_id}, byte for byte but timing")


def records_folder() -> Path:
    """Where runs of the simulator are kept: no context's own, since they belong to none."""
    import os

    home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "twit" / "simulations"

"""simulate plan: how many nodes of each kind, how sure, and what would change the answer. The work is in simulate/fleet/."""

from __future__ import annotations

import click

from .command import command
from .invocation import terminal
from .output import Sheet
from .simulate_fleet import SEED, SET, WORLDS

COLUMNS = {
    "tier": "tier", "choice": "choice", "have": "have", "p5": "nodes_p5", "p50": "nodes_p50", "p95": "nodes_p95", "nodes": "nodes",
    "binding": "binding", "$ a year": "cost_yr", "runner-up": "runner_up", "regret": "regret", "status": "status",
}  # fmt: skip
GROWTH = (0.1, 100.0)


@command(
    "plan",
    examples=(
        "twit simulate plan", "twit simulate plan --current design", "twit simulate plan --current my-fleet.toml --growth 1.3",
        "twit simulate plan --slo 'home_read_p99_ms<150' --set peak=3 -o json",
    ),
)  # fmt: skip
@click.option("--current", default="open", metavar="FLEET", help="A fleet to judge and to change: design, ample, short, or a TOML file. Without it all is planned.")
@click.option("--slo", "promises", multiple=True, metavar="METRIC<N", help="home_read_p99_ms, utilisation (1 is full) or cost_yr; home_read_p99_ms<200 if not given.")
@click.option("--growth", type=click.FloatRange(*GROWTH), default=1.0, metavar="X", help="Load and people a year, as 1.3: until when do nodes last.")
@click.option("--horizon", type=click.FloatRange(0, 20), default=0.0, metavar="YEARS", help="Plan for the load so many years of --growth from now.")
@WORLDS
@SEED
@SET
def plan(
    current: str, promises: tuple[str, ...], growth: float, *, horizon: float, worlds: int, seed: int, settings: tuple[tuple[str, float], ...]
) -> None:
    """Plan nodes of each kind and say how sure; exit 4 if something does not hold.

    In worlds drawn from the intervals of all inputs. Need is nodes at the fleet's own limits in 5, 50 and 95 of 100 worlds; PLAN is what makes all of it hold together in 95 of
    100 worlds, with one node more. By closed forms, in a second: twit simulate run knows queues and bursts. Stores whose work
    nobody has measured are unsized.
    """
    import time

    from .. import __version__
    from ..core.errors import Mismatch
    from ..simulate.fleet.fleet import load_fleet
    from ..simulate.fleet.plan import Settings
    from ..simulate.fleet.plan import plan as compute
    from ..simulate.fleet.plan_text import lines
    from ..simulate.fleet.report import document, limit
    from ..simulate.fleet.surrogate import Surrogate
    from ..simulate.fleet.worlds import read_inputs
    from ..simulate.verdict_schema import plain
    from ..simulate.work import open_work

    began = time.monotonic()
    limits = [limit(text) for text in promises or ("home_read_p99_ms<200",)]
    surrogate, chosen = Surrogate(load_fleet(current), open_work()), Settings(worlds, seed, growth, horizon, dict(settings))
    with terminal().progress("plan", 6) as bar:
        found = compute(surrogate, read_inputs(), chosen, say=bar.update)
    answer = document(found, limits, commit=__version__, timing={"seconds": round(time.monotonic() - began, 3)})
    as_json = plain(answer)
    rows = as_json["plan"]
    terminal().show(Sheet(rows=rows if isinstance(rows, list) else [], columns=COLUMNS, name="tier", document=as_json, lines=list(lines(answer, current))))
    if not answer.verdict.holds:
        broken = [one.limit for one in answer.verdict.slo if not one.holds]
        tiers = list(dict.fromkeys(one.tier for one in found.judged.short))
        what = "; ".join([*(f"{tier} is short" for tier in tiers), *(f"{one} does not hold" for one in broken)])
        raise Mismatch(f"{current}: {what}", meaning=f"It fits in {answer.verdict.held or 0:.0%} of worlds.", try_="twit simulate plan")

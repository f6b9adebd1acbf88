"""simulate fleet: what the load runs on: show a fleet, compare two, check that one holds. The arithmetic is in simulate/fleet/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from .command import Group
from .invocation import terminal
from .output import Sheet
from .simulate_estimate import NUMBER

if TYPE_CHECKING:
    from ..simulate.fleet.fleet import Fleet
    from ..simulate.fleet.judge import Judgement

SCHEMA = "twit.fleet/1"
SHOW = {
    "tier": "tier", "instance": "instance", "nodes": "nodes", "servers": "servers", "copies": "copies", "memory TB": "memory_tb",
    "disk TB": "disk_tb", "$ a year": "cost_yr", "status": "status",
}  # fmt: skip
CHECK = {
    "tier": "tier", "resource": "resource", "have": "have", "need": "need", "need p95": "need_p95", "used": "utilisation",
    "headroom": "headroom_x", "N+1": "n1_headroom_x", "holds": "holds", "status": "status",
}  # fmt: skip
WORLDS = click.option("--worlds", type=click.IntRange(8, 100_000), default=512, show_default=True, help="Worlds drawn from the intervals.")
SEED = click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=7, show_default=True, help="Draws the worlds.")


class Setting(click.ParamType[tuple[str, float]]):
    """NAME=NUMBER."""

    name = "name=n"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        name, sign, number = str(value).partition("=")
        if not sign:
            self.fail(f"{value!r} is not NAME=N, as reads_per_day=10G", param, ctx)
        return name.strip(), NUMBER.convert(number, param, ctx)


SET = click.option("--set", "settings", type=Setting(), multiple=True, metavar="NAME=N", help="Another middle value of an input.")


@click.group(
    "fleet", cls=Group,
    examples=("twit simulate fleet show", "twit simulate fleet compare design ample", "twit simulate fleet check my-fleet.toml"),
)  # fmt: skip
def fleet() -> None:
    """The machines: show a fleet, compare two, check that one holds the load."""


@fleet.command("show", examples=("twit simulate fleet show", "twit simulate fleet show ample -o json"))
@click.argument("name", default="design", metavar="[FLEET]")
def show(name: str) -> None:
    """Show what a fleet has, what Redis takes in each encoding, and what it costs.

    FLEET is design (the system design's, by default), ample, short, or a TOML file. Memory and cost are those of the middle of
    all inputs.
    """
    from ..simulate.fleet import text
    from ..simulate.fleet.cost import fleet_cost
    from ..simulate.fleet.fleet import TIERS, load_fleet
    from ..simulate.fleet.memory import Encoding
    from ..simulate.fleet.surrogate import Surrogate
    from ..simulate.fleet.worlds import middle, read_inputs
    from ..simulate.work import open_work

    found, works = load_fleet(name), open_work()
    world, surrogate = middle(read_inputs(), works), Surrogate(found, works)
    cost = fleet_cost(surrogate, world, {tier: getattr(found, tier).nodes for tier in TIERS})
    memory = {encoding.value: surrogate.memory(world, encoding) for encoding in Encoding}
    rows = text.show_rows(found, surrogate.unsized)
    document = {
        "schema": SCHEMA, "fleet": _plain(found), "tiers": rows, "cost": _plain(cost),
        "redis_memory": {name: {part: float(value[0]) for part, value in one.arrays().items()} for name, one in memory.items()},
    }  # fmt: skip
    lines = [*text.show_lines(found, rows), *text.memory_lines(found, memory), *text.cost_lines(cost)]
    terminal().show(Sheet(rows=rows, columns=SHOW, name="tier", document=document, lines=lines))


@fleet.command("compare", examples=("twit simulate fleet compare design ample", "twit simulate fleet compare ample my-fleet.toml"))
@click.argument("first", metavar="FLEET")
@click.argument("second", metavar="FLEET2")
def compare(first: str, second: str) -> None:
    """Show what differs between two fleets: nodes, machines, settings, cost a year."""
    from ..simulate.fleet.fleet import load_fleet
    from ..simulate.fleet.text import compare_rows

    one, other = load_fleet(first), load_fleet(second)
    rows = compare_rows(one, other)
    columns = {"what": "what", one.name: "first", other.name: "second", "times": "x"}
    document = {"schema": SCHEMA, "first": one.name, "second": other.name, "differences": rows}
    terminal().show(Sheet(rows=rows, columns=columns, name="what", document=document))


@fleet.command("check", examples=("twit simulate fleet check ample", "twit simulate fleet check my-fleet.toml --set reads_per_day=10G"))
@click.argument("name", default="design", metavar="[FLEET]")
@WORLDS
@SEED
@SET
def check(name: str, worlds: int, seed: int, settings: tuple[tuple[str, float], ...]) -> None:
    """Check a fleet's file, and whether it holds the load; exit 4 if not.

    By utilisation at the peak, memory, disk and network in closed form, in the middle of all inputs and in worlds drawn from
    their intervals; it must fit in 95 of 100 of them. Need: nodes at the fleet's own limits (rho_max, fill). Used: 100 % is full.
    Tiers whose work nobody has measured are not judged: twit simulate calibrate.
    """
    from ..core.errors import Mismatch
    from ..simulate.fleet.fleet import load_fleet
    from ..simulate.fleet.judge import judge
    from ..simulate.fleet.surrogate import Surrogate
    from ..simulate.fleet.text import check_lines
    from ..simulate.fleet.worlds import changed, draw, middle, read_inputs
    from ..simulate.work import open_work

    found, works = load_fleet(name), open_work()
    inputs = changed(read_inputs(), dict(settings))
    judged = judge(Surrogate(found, works), middle(inputs, works), draw(inputs, works, worlds, seed))
    terminal().show(_judged(found, judged, list(check_lines(found, judged))))
    if not judged.holds:
        raise Mismatch(f"{found.name} does not hold the load: {short(judged)}", meaning=f"It fits in {judged.held:.0%} of worlds.", try_="twit simulate plan")


def short(judged: Judgement) -> str:
    """The tiers that are short, worst first, each with its worst resource."""
    worst: dict[str, str] = {}
    for one in judged.short:
        worst.setdefault(one.tier, f"{one.tier} is short of {one.resource} ({one.need:,} nodes needed, {one.have:,} there)")
    return "; ".join(worst.values())


def _judged(found: Fleet, judged: Judgement, lines: Sequence[str]) -> Sheet:
    rows = [dict(_plain(one)) for one in judged.checks]
    document = {"schema": SCHEMA, "fleet": found.name, **_plain(judged)}
    return Sheet(rows=rows, columns=CHECK, name="tier", document=document, lines=lines)


def _plain(value: object) -> dict[str, object]:
    import msgspec

    found = msgspec.to_builtins(value)
    if not isinstance(found, dict):
        raise TypeError(found)
    return found

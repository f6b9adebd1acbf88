"""ops audit: which checks, on how many, and whether to mend what they find. What is compared is in ops/audit*.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from .command import command
from .invocation import current, terminal
from .job_options import DURATION, SHARE, job_options, options_from
from .output import Sheet, shown

if TYPE_CHECKING:
    from ..core.runs import Run
    from ..ops.audit import Audited
    from ..ops.plan import Options
    from ..ops.procedure import Maker
    from .contexts import World

COLUMNS = {
    "check": "check", "population": "population", "looked at": "looked_at", "late": "late", "differences": "differences",
    "causes": "causes",
}  # fmt: skip


@command(
    "audit",
    examples=(
        "twit ops audit --check timelines --sample 1%",
        "twit ops audit --check timelines,graph,counts --sample 100% -o json",
        "twit ops audit --check timelines --sample 1% --repair --dry-run",
    ),
)
@click.option("--check", default="timelines", show_default=True, metavar="NAMES", help="timelines, graph, counts; several with commas.")
@click.option("--sample", type=SHARE, default="1%", show_default=True, metavar="P", help="Share looked at: 1%, 0.01; one at least.")
@click.option("--wait", type=DURATION, default="10s", show_default=True, help="Wait so long for the consumers to catch up first.")
@click.option("--repair", is_flag=True, help="Mend what differs; the options below are for that.")
@job_options("users")
def audit(check: str, sample: float, wait: int, repair: bool, **given: Any) -> None:
    """Recompute what should be and name the cause of each difference.

    timelines: raw rows against the stores of truth (lost, parked, duplicate, misplaced, filtered, gap), and the page that is
    served against the naive rules (shown). graph: edges that only one side tells of (one-sided). counts: recounted (drifted).
    What the consumers have not got to is late, no difference. Exit 4 with the differences in a file of the run's folder.
    """
    from .contexts import perform

    options = options_from(given)
    if sample == 0:
        raise click.UsageError("--sample 0 would look at nobody")
    if options.plan or options.plan_out:
        raise click.UsageError("an audit finds its own selection; --plan and --plan-out are for rebuild-timeline")
    perform(current(), lambda world: _act(world, check, sample, wait, options, repair=repair), create=False)


async def _act(world: World, check: str, sample: float, wait_ms: int, options: Options, *, repair: bool) -> None:
    from ..ops.audit import Auditor, checks_of
    from .operator import TerminalOperator

    operator = TerminalOperator(terminal(), "")
    auditor = Auditor(
        world.stores, world.settings.limits, world.clock, operator, share=sample, seed=options.seed, wait_ms=wait_ms,
    )  # fmt: skip
    names = checks_of(check)
    if world.stores.kind == "simulated" and names != ["timelines"]:
        from ..core.errors import Unsupported

        what = "graph and counts are audited where they are stored; in a computed world they are computed"
        raise Unsupported(what, code="COMPUTED", try_="twit ops audit --check timelines --sample 100%")
    try:
        found = [await auditor.check(name) for name in names]
    finally:
        operator.rest()
    terminal().show(_sheet(found, sample, options.seed))
    if any(one.lag_ms for one in found):
        terminal().warn("the consumers had not caught up: what is late may yet turn out lost; look again after twit ops lag --wait 1m")
    if any(one.differences for one in found):
        run = _recorded(world, found, options)
        if repair:
            await _repair(world, found, options)
        else:
            _refuse(found, run, check, sample)


def _sheet(found: Sequence[Audited], sample: float, seed: int) -> Sheet:
    rows: list[dict[str, Any]] = []
    lines = [f"sample {sample:.2%} of each, seed {seed}"]
    for one in found:
        rows.append({
            "check": one.check, "population": one.population, "looked_at": one.looked_at, "late": one.late,
            "lag_ms": one.lag_ms, "differences": len(one.differences), "causes": one.causes, "sample": sample, "seed": seed,
        })  # fmt: skip
        lines.append(f"{one.check:<10} {one.looked_at:,} of {one.population:,} looked at   {len(one.differences):,} differences" + _tail(one))
        lines += [f"  {cause:<10} {count:>6,}   {shown(_example(one, cause))}" for cause, count in one.causes.items()]
    return Sheet(rows=rows, columns=COLUMNS, name="check", document={"checks": rows}, lines=lines)


def _tail(one: Audited) -> str:
    late = f"   {one.late:,} late" if one.late else ""
    return late + (f"   consumers still {one.lag_ms / 1_000:.1f} s behind" if one.lag_ms else "")


def _example(one: Audited, cause: str) -> str:
    first = next(difference for difference in one.differences if difference.cause == cause)
    return f"user {first.item}: {first.detail}"


def _recorded(world: World, found: Sequence[Audited], options: Options) -> Run:
    """A run folder with the differences."""
    from ..core.runs import Manifest, Outcome
    from ..ops.batches import write_differences
    from .ops_jobs import command_line, site_of

    site = site_of(world)
    run = site.runs.create("au", Manifest(
        run_id="", procedure="audit", command=tuple(command_line()), context=site.context, actor=site.actor, reason=options.reason,
        ticket=options.ticket, version=site.version, commit=site.commit, seed=options.seed, settings=site.settings, started_ms=0,
    ))  # fmt: skip
    write_differences(run, [difference for one in found for difference in one.differences])
    looked, differences = sum(one.looked_at for one in found), sum(len(one.differences) for one in found)
    tally = {f"{one.check} {cause}": count for one in found for cause, count in one.causes.items()}
    run.finish(Outcome(
        run_id=run.run_id, status="mismatch", done=looked, total=looked, tally=tally, verified=looked, differences=differences,
        ended_ms=world.clock.now_ms(),
    ))  # fmt: skip
    terminal().say(f"differences: {run.folder / 'differences.csv'}")
    return run


def _refuse(found: Sequence[Audited], run: Run, check: str, sample: float) -> None:
    from ..core.errors import Mismatch

    many = sum(len(one.differences) for one in found)
    what = f"{many:,} differences"
    again = f"twit ops audit --check {check} --sample {sample:.6%} --seed {run.manifest.seed} --repair"
    raise Mismatch(what, meaning=f"All of them: {run.folder / 'differences.csv'}", try_=again)


async def _repair(world: World, found: Sequence[Audited], options: Options) -> None:
    from .ops_jobs import outcome_sheet, start

    for one in found:
        if not one.differences:
            continue
        outcome = await start(world, _mender(world, one, options), options, terminal())
        if outcome is not None:
            terminal().say("\n".join(outcome_sheet(outcome, "users").lines or ()))


def _mender(world: World, one: Audited, options: Options) -> Maker:
    from ..ops.audit_people import MendPeople
    from ..ops.rebuild_timeline import RebuildTimelines, Selection

    limits, clock = world.settings.limits, world.clock
    if one.check == "timelines":
        return lambda stores: RebuildTimelines(stores, limits, clock, Selection(asked=one.items), options)
    return lambda stores: MendPeople(stores, one.check, one.items)

"""ops runs: what procedures did, also from another terminal. The folders are core/runs.py's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from .command import Group
from .invocation import current, terminal
from .job_options import DURATION
from .ops_runs_rows import COLUMNS, row, run_argument, runs_here, when
from .ops_steer import pause, set_, wait
from .output import Sheet, shown

if TYPE_CHECKING:
    from ..core.runs import Outcome
    from .contexts import World


@click.group("runs", cls=Group, examples=("twit ops runs list", "twit ops runs show last", "twit ops runs resume rt-20260922-1412-k7"))
def runs() -> None:
    """List, show, steer, resume and clean what procedures do and did.

    RUN is an id, or last. Jobs that run in another terminal can be waited for, paused and set another pace.
    """


@runs.command("list", examples=("twit ops runs list", "twit ops runs list -o json"))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
def list_runs(limit: int) -> None:
    """List runs, newest first."""
    from ..core.run_control import row_of

    rows = [row(row_of(one)) for one in runs_here().newest_first()[:limit]]
    terminal().show(Sheet(rows=rows, columns=COLUMNS, name="run_id", document={"runs": rows}))


@runs.command("show", examples=("twit ops runs show last", "twit ops runs show rt-20260922-1412-k7 -o json"))
@run_argument
def show(run_id: str) -> None:
    """Show one run: who, why, with what, how far, how it ended."""
    import msgspec

    from ..core.run_control import control_of, row_of

    run = runs_here().open(run_id)
    outcome, checkpoint = run.outcome(), run.checkpoint()
    document: dict[str, Any] = {
        **row(row_of(run)),
        "manifest": msgspec.to_builtins(run.manifest),
        "plan": json.loads(run.read("plan.json") or b"null"),
        "checkpoint": msgspec.to_builtins(checkpoint) if checkpoint else None,
        "outcome": msgspec.to_builtins(outcome) if outcome else None,
        "control": msgspec.to_builtins(control_of(run)),
        "folder": str(run.folder),
    }
    told = {**{key: value for key, value in document.items() if not isinstance(value, dict)}, **document["manifest"]}
    tally = outcome.tally if outcome else checkpoint.tally if checkpoint else {}
    told["tally"] = ", ".join(f"{name} {count}" for name, count in sorted(tally.items()))
    told["command"] = " ".join(run.manifest.command)
    lines = [f"{key:<14} {shown(value)}" for key, value in told.items() if value not in (None, "", {}) and not key.endswith("_ms")]
    terminal().show(Sheet(rows=[document], columns=COLUMNS, name="run_id", document=document, lines=lines))


@runs.command("resume", examples=("twit ops runs resume rt-20260922-1412-k7", "twit ops runs resume last"))
@run_argument
def resume(run_id: str) -> None:
    """Go on with a run that is paused, stopped or was killed.

    One that is paused goes on in its own terminal. Any other goes on here, with the options that it was started with and
    what was set since.
    """
    from ..core.run_control import row_of
    from .contexts import perform
    from .ops_jobs import outcome_sheet
    from .ops_jobs import resume as go_on
    from .ops_steer import unpause

    run = runs_here().open(run_id)
    if row_of(run).status == "paused":
        unpause(run)
        return

    async def act(world: World) -> Outcome:
        return await go_on(world, run, terminal())

    plan = json.loads(run.read("plan.json") or b"{}")
    terminal().show(outcome_sheet(perform(current(), act, create=False), plan.get("unit", "items")))


for steering in (pause, set_, wait):
    runs.add_command(steering)


@runs.command("log", examples=("twit ops runs log last", "twit ops runs log last -o jsonl"))
@run_argument
def log(run_id: str) -> None:
    """Show a run's events in order."""
    rows: list[dict[str, Any]] = []
    for event in runs_here().open(run_id).events():
        rest = {key: value for key, value in event.items() if key not in {"at_ms", "event"}}
        rows.append({"at": when(int(str(event["at_ms"]))), "event": event["event"], "fields": rest})
    columns = {"at": "at", "event": "event", "fields": "fields"}
    terminal().show(Sheet(rows=rows, columns=columns, name="event", document={"events": rows}))


@runs.command("clean", examples=("twit ops runs clean --older-than 30d", "twit ops runs clean --dry-run"))
@click.option("--older-than", type=DURATION, default="30d", show_default=True, help="Ended so long ago.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(older_than: int, dry_run: bool, yes: bool) -> None:
    """Remove the folders of runs that ended for good.

    What can be resumed stays.
    """
    from ..core.clock import SystemClock
    from ..core.run_control import row_of

    found, before_ms = runs_here(), SystemClock().now_ms() - older_than
    rows = [row(row_of(one)) for one in found.cleanable(before_ms)]
    if rows and not dry_run:
        if not yes and not terminal().confirm(f"Remove {len(rows)} run folders?", "--yes"):
            raise click.Abort
        found.clean(before_ms)
    terminal().show(Sheet(rows=rows, columns=COLUMNS, name="run_id", document={"removed": [] if dry_run else rows, "runs": rows}))

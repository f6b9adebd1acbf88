"""ops runs: what procedures did, also from another terminal. The folders are core/runs.py's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from .command import Group
from .invocation import current, terminal
from .job_options import DURATION
from .output import Sheet, shown

if TYPE_CHECKING:
    from ..core.runs import Outcome, RunRow, Runs
    from .contexts import World

COLUMNS = {
    "run": "run_id", "procedure": "procedure", "status": "status", "done": "done", "total": "total", "started": "started",
    "ended": "ended", "actor": "actor",
}  # fmt: skip
run_argument = click.argument("run_id", metavar="RUN")


@click.group("runs", cls=Group, examples=("twit ops runs list", "twit ops runs show last", "twit ops runs resume rt-20260922-1412-k7"))
def runs() -> None:
    """List, show, resume and clean what procedures did.

    RUN is an id, or last. A run that is open still runs, or was killed: resuming one that runs is refused.
    """


@runs.command("list", examples=("twit ops runs list", "twit ops runs list -o json"))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="The newest so many.")
def list_runs(limit: int) -> None:
    """List runs, newest first."""
    rows = [_row(one) for one in _runs().rows()[:limit]]
    terminal().show(Sheet(rows=rows, columns=COLUMNS, name="run_id", document={"runs": rows}))


@runs.command("show", examples=("twit ops runs show last", "twit ops runs show rt-20260922-1412-k7 -o json"))
@run_argument
def show(run_id: str) -> None:
    """Show one run: who, why, with what, how far, how it ended."""
    import msgspec

    from ..core.runs import row_of

    run = _runs().open(run_id)
    outcome, checkpoint = run.outcome(), run.checkpoint()
    document: dict[str, Any] = {
        **_row(row_of(run)),
        "manifest": msgspec.to_builtins(run.manifest),
        "plan": json.loads(run.read("plan.json") or b"null"),
        "checkpoint": msgspec.to_builtins(checkpoint) if checkpoint else None,
        "outcome": msgspec.to_builtins(outcome) if outcome else None,
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
    """Go on where a run stopped or was killed, with the options that it was started with."""
    from .contexts import perform
    from .ops_jobs import outcome_sheet
    from .ops_jobs import resume as go_on

    run = _runs().open(run_id)

    async def act(world: World) -> Outcome:
        return await go_on(world, run, terminal())

    plan = json.loads(run.read("plan.json") or b"{}")
    terminal().show(outcome_sheet(perform(current(), act, create=False), plan.get("unit", "items")))


@runs.command("log", examples=("twit ops runs log last", "twit ops runs log last -o jsonl"))
@run_argument
def log(run_id: str) -> None:
    """Show a run's events in order."""
    rows: list[dict[str, Any]] = []
    for event in _runs().open(run_id).events():
        rest = {key: value for key, value in event.items() if key not in {"at_ms", "event"}}
        rows.append({"at": when(int(str(event["at_ms"]))), "event": event["event"], "fields": rest})
    columns = {"at": "at", "event": "event", "fields": "fields"}
    terminal().show(Sheet(rows=rows, columns=columns, name="event", document={"events": rows}))


@runs.command("clean", examples=("twit ops runs clean --older-than 30d", "twit ops runs clean --dry-run"))
@click.option("--older-than", type=DURATION, default="30d", show_default=True, help="Ended so long ago.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(older_than: int, dry_run: bool, yes: bool) -> None:
    """Remove the folders of runs that ended for good; what can be resumed stays."""
    from ..core.clock import SystemClock

    found, before_ms = _runs(), SystemClock().now_ms() - older_than
    rows = [_row(one) for one in found.cleanable(before_ms)]
    if rows and not dry_run:
        if not yes and not terminal().confirm(f"Remove {len(rows)} run folders?", "--yes"):
            raise click.Abort
        found.clean(before_ms)
    terminal().show(Sheet(rows=rows, columns=COLUMNS, name="run_id", document={"removed": [] if dry_run else rows, "runs": rows}))


def when(ms: int) -> str:
    """RFC 3339 in UTC, "" for 0."""
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ms else ""


def _row(one: RunRow) -> dict[str, Any]:
    return {
        "run_id": one.run_id, "procedure": one.procedure, "status": one.status, "done": one.done, "total": one.total,
        "started": when(one.started_ms), "ended": when(one.ended_ms), "actor": one.actor, "context": one.context,
    }  # fmt: skip


def _runs() -> Runs:
    from .contexts import data_folder
    from .ops_jobs import runs_in

    return runs_in(data_folder(current().settings.context))

"""Where the runs of the chosen context are, and how one is shown in a list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..core.run_control import RunRow
    from ..core.runs import Runs

COLUMNS = {
    "run": "run_id", "procedure": "procedure", "status": "status", "done": "done", "total": "total", "started": "started",
    "ended": "ended", "actor": "actor",
}  # fmt: skip
run_argument = click.argument("run_id", metavar="RUN")


def when(ms: int) -> str:
    """RFC 3339 in UTC, "" for 0."""
    return datetime.fromtimestamp(ms / 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ms else ""


def row(one: RunRow) -> dict[str, Any]:
    """As `-o json` gives it."""
    return {
        "run_id": one.run_id, "procedure": one.procedure, "status": one.status, "done": one.done, "total": one.total,
        "started": when(one.started_ms), "ended": when(one.ended_ms), "actor": one.actor, "context": one.context,
    }  # fmt: skip


def runs_here() -> Runs:
    """Those beside the data."""
    from .invocation import current
    from .ops_jobs import runs_in

    return runs_in(current().settings.context.folder)

"""ops: the table of procedures. Each lives in a file of its own and is imported when it is called."""

from __future__ import annotations

from .command import Entry, LazyGroup

LOOK, MEND = "Looking", "Mending"

ops = LazyGroup(
    "ops",
    entries={
        "lag": Entry(LOOK, ".ops_lag", "lag", "Show how far the consumers are behind, in seconds."),
        "audit": Entry(LOOK, ".ops_audit", "audit", "Recompute what should be and name the cause of each difference."),
        "runs": Entry(LOOK, ".ops_runs", "runs", "List, show, steer, resume and clean what procedures do and did."),
        "events": Entry(LOOK, ".ops_events", "events", "Look at parked events and have them handled once more."),
        "rebuild-timeline": Entry(MEND, ".ops_rebuild", "rebuild_timeline", "Rebuild home timelines from the stores of truth."),
    },
    help="Procedures for operators: rebuild, audit, lag, runs.",
    examples=("twit ops lag --wait 10s", "twit ops audit --sample 1%", "twit ops rebuild-timeline @ada --dry-run"),
)

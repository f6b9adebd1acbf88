"""What a procedure intends: the plan that is shown, asked about, kept in a file, and held against the world again.

Nothing here writes to a store, talks to a terminal, or knows any procedure.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import numpy as np

from ..core.errors import Conflict, Forbidden, Invalid
from ..core.runs import write_atomically

if TYPE_CHECKING:
    from ..core.entries import Ids

PLAN_SCHEMA = 1


class Level(IntEnum):
    """How much a mistake would cost; a protected context raises it by one."""

    MILD = 0  # one user: no question
    MODERATE = 1  # many, and it can be undone: [y/N], or --yes off a terminal
    SEVERE = 2  # typing the context's name, or --confirm NAME


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What would be done to how many, at what cost, and the way back. `facts` are (label, text) in the order they are shown."""

    schema_version: int = PLAN_SCHEMA
    procedure: str
    context: str
    unit: str
    count: int
    level: Level
    facts: tuple[tuple[str, str], ...]
    undo: str
    parameters: dict[str, int | str | bool] = {}
    fingerprint: str


class PlanFile(msgspec.Struct, frozen=True, kw_only=True):
    """A plan with its selection: `asked` as the operator named it ([] for a rule such as --all-active)."""

    schema_version: int = PLAN_SCHEMA
    plan: Plan
    asked: list[int]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A plan and the items it is about, in the order in which they will be worked on."""

    plan: Plan
    items: Ids
    asked: tuple[int, ...] = ()


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options that every mutating command shares, as a run folder keeps them. Zero means: no bound."""

    schema_version: int = PLAN_SCHEMA
    dry_run: bool = False
    yes: bool = False
    confirm: str = ""
    reason: str = ""
    ticket: str = ""
    plan_out: str = ""
    plan: str = ""
    rate: float = 0.0  # items a second
    concurrency: int = 4  # batches at once
    max_lag_ms: int = 2_000
    max_wait_ms: int = 600_000  # throttled for longer than this in one piece: stopped, resumable
    verify_sample: float = 0.01
    seed: int = 0


class Operator(Protocol):
    """Whoever watches and answers: a terminal, a test."""

    def show(self, plan: Plan, heading: str) -> None:
        """Show the plan under its heading, which names the context."""

    def ask(self, question: str) -> str | None:
        """Return the answer, `None` where nobody is there to ask."""

    def say(self, line: str) -> None:
        """Tell something in passing."""

    def working(self, run_id: str) -> None:
        """The run has begun: from here on an interrupt is a stop with a checkpoint, no longer an abort."""

    def progress(self, progress: Progress) -> None:
        """Take note; whatever this raises is passed over."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job stands. `eta_s` < 0: not known yet. `throttled` says why it waits and what would change it, "" if it does not."""

    run_id: str
    unit: str
    done: int
    total: int
    per_s: float
    eta_s: float
    throttled: str = ""
    throttled_share: float = 0.0
    final: bool = False


def fingerprint(procedure: str, context: str, parameters: dict[str, int | str | bool], items: Ids, world: str) -> str:
    """Return what identifies this plan against this state of the world: same text, same plan."""
    digest = hashlib.sha256(msgspec.json.encode([procedure, context, sorted(parameters.items()), world]))
    digest.update(np.ascontiguousarray(items, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]


def save_plan(draft: Draft, path: Path) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode(PlanFile(plan=draft.plan, asked=list(draft.asked)))) + b"\n")


def load_plan(path: Path, procedure: str) -> PlanFile:
    """Read a plan file; raises `Invalid` unless it is one of this procedure."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=PlanFile)
    except OSError as error:
        raise Invalid(f"--plan {path}: {error.strerror or error}", field="plan") from error
    except msgspec.DecodeError as error:
        raise Invalid(f"--plan {path} is not a plan: {error}", field="plan") from error
    if kept.schema_version != PLAN_SCHEMA or kept.plan.procedure != procedure:
        what = f"--plan {path} is a plan of {kept.plan.procedure}, version {kept.schema_version}"
        raise Invalid(what, field="plan", try_=f"give one that {procedure} --plan-out wrote")
    return kept


def must_match(kept: PlanFile, now: Plan) -> None:
    """Raise `Conflict` where the world has moved on since the plan was made."""
    if kept.plan.context != now.context:
        what = f"the plan was made for context {kept.plan.context}, this is {now.context}"
        raise Conflict(what, code="PLAN_STALE", try_=f"--context {kept.plan.context}")
    if kept.plan.fingerprint != now.fingerprint:
        what = f"the world no longer matches the plan ({kept.plan.count:,} {now.unit} then, {now.count:,} now)"
        raise Conflict(what, code="PLAN_STALE", meaning="nothing was written", try_="plan again with --plan-out")


def confirm(plan: Plan, options: Options, operator: Operator, *, protected: bool) -> None:
    """Return where the operator agrees at the plan's level; else raise `Invalid` or `Forbidden`, with nothing written."""
    if protected and not options.reason:
        what = f"context {plan.context} is protected: say why"
        raise Invalid(what, field="reason", try_="--reason TEXT")
    level = min(plan.level + protected, Level.SEVERE)
    if level == Level.MILD:
        return
    if level == Level.SEVERE:
        given = options.confirm or operator.ask(f"Type the context's name ({plan.context}) to proceed: ")
        if given is None:
            what = "this needs the context's name, and there is nobody to ask"
            raise Invalid(what, field="confirm", code="NOT_CONFIRMED", meaning="nothing was written", try_=f"--confirm {plan.context}")
        if given.strip() != plan.context:
            what = f"{given.strip()!r} is not {plan.context}"
            raise Forbidden(what, code="NOT_CONFIRMED", meaning="nothing was written")
        return
    answer = "y" if options.yes else operator.ask(f"Proceed on {plan.context}? [y/N] ")
    if answer is None:
        what = "this needs a yes, and there is nobody to ask"
        raise Invalid(what, field="yes", code="NOT_CONFIRMED", meaning="nothing was written", try_="--yes")
    if answer.strip().lower() not in {"y", "yes"}:
        raise Forbidden("not confirmed", code="NOT_CONFIRMED", meaning="nothing was written")

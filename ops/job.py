"""The skeleton every procedure stands on: plan, confirm, lease, batches with checkpoints, throttle, verify, outcome.

A procedure says what to do to some items; the job says when, how fast, how far it got, and who else may not. It knows neither
timelines nor terminals: questions and progress go to an `Operator`, records into a run folder.

Why a kill at any moment is safe: batches are idempotent, a checkpoint names only batches that are done, and a checkpoint
carries the fence of its lease, so that a process taken for dead cannot set a successor back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from ..core.errors import Conflict
from ..core.ports import Lease
from ..core.run_control import control_of, steer, working
from ..core.runs import Manifest, Outcome, Run, decoded
from .batches import Batches
from .plan import Draft, Operator, Options, confirm, load_plan, must_match, save_plan
from .procedure import Maker, Procedure, Site
from .readonly import read_only


class Job:
    """One run of one procedure."""

    def __init__(self, make: Maker, options: Options, site: Site, operator: Operator, stop: asyncio.Event) -> None:
        self._make = make
        self._options = options
        self._site = site
        self._operator = operator
        self._stop = stop

    async def start(self, command: Sequence[str]) -> Outcome | None:
        """Plan, ask, take the lease, do it. Returns `None` where only a plan was asked for: nothing was written then.

        Raises `Forbidden` (not confirmed), `Conflict` (another runs, a stale plan), `Stopped` (resumable), `Mismatch`.
        """
        draft = await self._planned()
        options, site = self._options, self._site
        stops_here = options.dry_run or bool(options.plan_out)
        where = f"context {site.context}" + (" (protected)" if site.protected else "")
        self._operator.show(draft.plan, where + ("   plan, nothing written" if stops_here else ""))
        if options.plan_out:
            save_plan(draft, Path(options.plan_out))
        if stops_here:
            return None
        confirm(draft.plan, options, self._operator, protected=site.protected)
        procedure = self._make(site.stores)
        lease = await self._lease(procedure)
        try:
            run = self._opened(procedure, draft, command)
            with working(run):
                self._operator.working(run.run_id)
                return await self._batches(procedure, run, lease).carry_out(draft.items)
        finally:
            lease.release()

    async def resume(self, run: Run) -> Outcome:
        """Go on where `run` stopped, was interrupted or was killed. A run that has ended is only told of."""
        ended = run.outcome()
        if ended is not None and ended.status in {"done", "mismatch"}:
            self._operator.say(f"run {run.run_id} is {ended.status} already: nothing to do")
            return ended
        procedure = self._make(self._site.stores)
        lease = await self._lease(procedure)
        try:
            with working(run):
                self._operator.working(run.run_id)
                run.event("resumed", self._site.clock.now_ms(), actor=self._site.actor, fence=lease.fence)
                self._unpause(run)
                items = np.frombuffer(run.read("items.i64") or b"", dtype="<i8").astype(np.int64)
                return await self._batches(procedure, run, lease).carry_out(items)
        finally:
            lease.release()

    def _unpause(self, run: Run) -> None:
        """A run that died while paused goes on: resuming it says so."""
        if control_of(run).paused:
            steer(run, self._site.actor, self._site.clock.now_ms(), paused=False)

    def _batches(self, procedure: Procedure, run: Run, lease: Lease) -> Batches:
        return Batches(procedure, self._options, self._site, self._operator, self._stop, run=run, fence=lease.fence)

    async def _planned(self) -> Draft:
        planner = self._make(read_only(self._site.stores))
        if not self._options.plan:
            return await planner.plan(self._site.context, None)
        kept = load_plan(Path(self._options.plan), planner.name)
        draft = await planner.plan(self._site.context, kept)
        must_match(kept, draft.plan)
        return draft

    async def _lease(self, procedure: Procedure) -> Lease:
        site = self._site
        since = datetime.fromtimestamp(site.clock.now_ms() / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        name = lease_name(procedure.name)
        lease = await site.stores.leases.acquire(name, f"{site.actor}, since {since}")
        if lease is None:
            holder = await site.stores.leases.holder(name) or "another process"
            what = f"{procedure.name} is running already: {holder}"
            raise Conflict(what, code="JOB_RUNNING", meaning="one at a time; nothing was written", try_="twit ops runs list")
        return lease

    def _opened(self, procedure: Procedure, draft: Draft, command: Sequence[str]) -> Run:
        site, options = self._site, self._options
        manifest = Manifest(
            run_id="", procedure=procedure.name, command=tuple(command), context=site.context, actor=site.actor,
            reason=options.reason, ticket=options.ticket, version=site.version, commit=site.commit, seed=options.seed,
            settings=site.settings, started_ms=0,
        )
        run = site.runs.create(procedure.prefix, manifest)
        run.write("plan.json", msgspec.json.format(msgspec.json.encode(draft.plan)) + b"\n")
        run.write("options.json", msgspec.json.encode(options))
        run.write("items.i64", np.ascontiguousarray(draft.items, dtype="<i8").tobytes())
        run.event("started", run.manifest.started_ms, actor=site.actor, total=len(draft.items))
        return run


def lease_name(procedure: str) -> str:
    """The lease that lets one run of a procedure at a time."""
    return f"job-{procedure}"


def options_of(run: Run) -> Options:
    """The options a run was started with."""
    raw = run.read("options.json")
    return Options() if raw is None else decoded(raw, Options, run.folder / "options.json")

"""A job that writes numbers into files, and all that it needs: leases, an operator who watches, a folder of runs."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace

import numpy as np

from twit.core.clock import ManualClock
from twit.core.runs import Runs
from twit.ops.job import Job
from twit.ops.plan import Draft, Level, Options, Plan, fingerprint
from twit.ops.procedure import Difference, Downstream, Site
from twit.ops.readonly import READS

NOW = 1_790_000_000_000


class Leases:
    def __init__(self):
        self.held, self.fence = {}, 0

    async def acquire(self, name, holder):
        if name in self.held:
            return None
        self.held[name], self.fence = holder, self.fence + 1
        return SimpleNamespace(fence=self.fence, release=lambda: self.held.pop(name, None))

    async def holder(self, name):
        return self.held.get(name, "")


class Numbers:
    """Writes n*n into the file n; a second time it finds it there."""

    name, prefix, unit, batch = "numbers", "nr", "numbers", 3

    def __init__(self, stores, folder, numbers, *, level=Level.MODERATE, lag=lambda: 0, spoil=(), crash_after=None):
        self.stores, self.folder, self.numbers, self.level = stores, folder, numbers, level
        self.lag, self.spoil, self.crash_after, self.applied = lag, spoil, crash_after, []

    async def plan(self, context, kept):
        items = np.array(self.numbers if kept is None else kept.asked, dtype=np.int64)
        mark = fingerprint(self.name, context, {}, items, str(sorted(p.name for p in self.folder.glob("world*"))))
        plan = Plan(procedure=self.name, context=context, unit=self.unit, count=len(items), level=self.level,
                    facts=(("numbers", str(len(items))),), undo="not needed", fingerprint=mark)
        return Draft(plan=plan, items=items, asked=tuple(items.tolist()))

    async def apply(self, items):
        for item in items.tolist():
            path = self.folder / str(item)
            path.write_text(str(item * item))
            self.applied.append(item)
            if self.crash_after is not None and len(self.applied) >= self.crash_after:
                raise RuntimeError("power cut")
        return {"written": len(items)}

    async def verify(self, items):
        return [Difference(item=i, cause="wrong", detail="x") for i in items.tolist() if i in self.spoil]

    async def downstream(self):
        return Downstream(name="fanout", lag_ms=self.lag())


class Watcher:
    def __init__(self, answer=None):
        self.answer, self.shown, self.asked, self.said, self.seen = answer, [], [], [], []

    def show(self, plan, heading):
        self.shown.append((heading, plan))

    def ask(self, question):
        self.asked.append(question)
        return self.answer

    def say(self, line):
        self.said.append(line)

    def working(self, run_id):
        self.said.append(run_id)

    def progress(self, progress):
        self.seen.append(progress)
        raise OSError("the terminal is gone")


class World:
    """One data directory, its lease table and one operator."""

    def __init__(self, folder, *, protected=False, answer=None):
        self.folder, self.clock, self.leases, self.watcher = folder, ManualClock(NOW), Leases(), Watcher(answer)
        ports = {name: SimpleNamespace() for name in READS} | {"leases": self.leases, "kind": "fake"}
        self.runs = Runs(folder / "runs", self.clock, random.Random(1))
        self.site = Site(context="prod", protected=protected, actor="ada@bastion", version="1", commit="c0ffee",
                         settings={"a": "b"}, stores=SimpleNamespace(**ports), runs=self.runs, clock=self.clock)
        self.stop, self.procedures = asyncio.Event(), []
        (folder / "out").mkdir(exist_ok=True)

    def job(self, numbers, options=None, **kwargs):
        def make(stores):
            procedure = Numbers(stores, self.folder / "out", numbers, **kwargs)
            self.procedures.append(procedure)
            return procedure

        return Job(make, options or Options(yes=True, concurrency=1), self.site, self.watcher, self.stop)

    async def start(self, numbers, options=None, **kwargs):
        return await self.job(numbers, options, **kwargs).start(("numbers",))

    def files(self):
        return {p.name: p.read_bytes() for p in (self.folder / "out").iterdir()}

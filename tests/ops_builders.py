"""What operators' procedures need in tests: a place to run, somebody who watches, rows spoilt behind the service's back."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import numpy as np

from twit.core.runs import Runs
from twit.core.service import Twit
from twit.ops.audit import Audited, Auditor
from twit.ops.job import Job
from twit.ops.plan import Options
from twit.ops.procedure import Site
from twit.ops.rebuild_timeline import RebuildTimelines, Selection


class Watcher:
    """An operator who answers `answer` and remembers what he saw."""

    def __init__(self, answer: str | None = None) -> None:
        self.answer = answer
        self.shown, self.said, self.seen = [], [], []

    def show(self, plan, heading):
        self.shown.append((heading, plan))

    def ask(self, question):
        return self.answer

    def say(self, line):
        self.said.append(line)

    def working(self, run_id):
        self.said.append(run_id)

    def progress(self, progress):
        self.seen.append(progress)


def site_of(twit: Twit, clock, folder: Path) -> Site:
    """The embedded context `local`, with runs beside its data."""
    return Site(context="local", protected=False, actor="ada@bastion", version="1", commit="", settings={}, stores=twit.stores,
                runs=Runs(folder / "runs", clock, random.Random(5)), clock=clock)


def rebuild_job(twit: Twit, clock, folder: Path, selection=None, options=None, *, watcher=None, stop=None, procedure=RebuildTimelines) -> Job:
    """A rebuild that is ready to start; everybody active unless told otherwise."""
    options = options or Options(yes=True, concurrency=1, verify_sample=1.0)
    chosen = selection or Selection(all_active=True)
    return Job(lambda stores: procedure(stores, twit.limits, clock, chosen, options), options, site_of(twit, clock, folder),
               watcher or Watcher(), stop or asyncio.Event())


async def audited(twit: Twit, clock, check: str = "timelines", share: float = 1.0, wait_ms: int = 0) -> Audited:
    """One check of everybody, unless told otherwise."""
    return await Auditor(twit.stores, twit.limits, clock, Watcher(), share=share, seed=7, wait_ms=wait_ms).check(check)


async def raw_row(twit: Twit, reader: int) -> list[list[int]]:
    """The row's entries as stored, newest first."""
    return (await twit.stores.timelines.raw(reader)).tolist()


def plant(twit: Twit, reader: int, entries: list[list[int]], floor: int = 0) -> None:
    """Make the stored row hold these, newest first, unsorted and repeated as they are: what no port would let through."""
    ring = twit.stores.timelines
    row = int(ring._slots.locate(np.array([reader]))[0])
    stored = np.array(entries, np.int64).reshape(-1, 2)[::-1]
    ring._rows.write(row, stored, end=len(stored), floor=floor, late=0, seen=int(ring._rows.seen[row << 3]))

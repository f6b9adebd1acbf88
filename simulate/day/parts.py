"""Counts all users of a day, part by part on some threads, with progress, and so that it can be interrupted and resumed.

A part is a range of users; what it adds are integers, so any order of parts and any number of threads give the same sums.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...core.routing import Kept
from ..population.calibrate import sample_users
from ..population.chance import mix
from . import kernels
from .draws import MINUTES, Small, Sums, clock_table
from .kernels import Plan
from .routes import slots_of
from .rule import DayRule, Mode

if TYPE_CHECKING:
    from ..population.people import Population

Progress = Callable[[int, int], None]  # users done, users in all

PART_USERS = {Mode.DRAWN: 1 << 20, Mode.EXACT: 1 << 17}
CHECKPOINT_EVERY_S = 20.0
SHARE_SAMPLE = 1 << 19
DAY_STREAM = 0xDA


class RawDay(NamedTuple):
    """The sums of all users. `small` is by shard and minute: reads of home rows, events of partitions, pages of follower lists;
    the followers in those stand at the end of `sums`."""

    plan: Plan
    sums: Sums
    small: Sums
    list_reads: Sums  # by celebrity; zeros unless exact

    def minutes(self, column: int) -> Sums:
        """One of the sums by minute."""
        return self.sums[kernels.MINUTE_AT : kernels.PAIRS_AT].reshape(MINUTES, kernels.COLUMNS)[:, column]

    def pairs(self, column: int) -> Sums:
        """Lists merged or followees met by reads, by minute."""
        return self.sums[kernels.PAIRS_AT : kernels.PAIRS_AT + 2 * MINUTES].reshape(MINUTES, 2)[:, column]

    def scalar(self, place: int) -> int:
        """One of the sums that have no minute."""
        return int(self.sums[kernels.SCALAR_AT + place])

    def by_region(self, start: int, regions: int) -> Sums:
        """Reads or tweets, (regions, minutes)."""
        return self.sums[start : start + regions * MINUTES].reshape(regions, MINUTES)

    def shards(self, first: int, count: int) -> Sums:
        """Some of `small`, (shards, minutes)."""
        return self.small[first * MINUTES : (first + count) * MINUTES].reshape(count, MINUTES)

    def pages(self) -> Sums:
        """Pages of follower lists by MySQL shard, (shards, minutes)."""
        return self.shards(self.plan.redis + self.plan.kafka, self.plan.mysql)

    def listed(self) -> Sums:
        """Followers in them."""
        return self.sums[kernels.SUMS :].reshape(self.plan.mysql, MINUTES)


def count_day(
    population: Population, rule: DayRule, *, threads: int = 2, progress: Progress | None = None, checkpoint: Path | None = None
) -> RawDay:
    """Count everybody. With `checkpoint`, an interrupted count goes on from that file, which is removed at the end."""
    return _Count(population, rule, checkpoint).run(threads, progress)


class _Count:
    """One count under way. The lock guards the totals."""

    def __init__(self, population: Population, rule: DayRule, checkpoint: Path | None) -> None:
        self._population, self._checkpoint = population, checkpoint
        self._plan = plan_of(population, rule)
        epoch = rule.epoch
        at = population.at
        celebrities = at.heads.rows * at.layers * at.provinces
        self._lists = epoch.mysql * MINUTES
        self._sizes = kernels.SUMS + self._lists, (epoch.redis + epoch.kafka) * MINUTES + self._lists, celebrities
        self._totals = [np.zeros(size, np.int64) for size in self._sizes]
        self._clock = clock_table(population.clock.by_region)
        self._slots = slots_of(Kept.HOME_ROW)
        self._part = PART_USERS[rule.mode]
        self._parts = -(-population.graph.users // self._part)
        self._done = np.zeros(self._parts, np.bool_)
        self._lock = threading.Lock()
        self._local = threading.local()
        self._signature = rule.signature(population.graph.users, population.seed, population.params, self._plan.key)
        self._saved_s = time.monotonic()

    def run(self, threads: int, progress: Progress | None) -> RawDay:
        self._resume()
        self._add(0, 0)  # compiled before threads begin
        users = self._population.graph.users
        todo = deque(np.flatnonzero(~self._done).tolist())
        running: set[Future[None]] = set()
        with ThreadPoolExecutor(threads, thread_name_prefix="day") as pool:
            try:
                while todo or running:
                    while todo and len(running) < threads:
                        running.add(pool.submit(self._count_part, todo.popleft()))
                    finished, running = wait(running, return_when=FIRST_COMPLETED)
                    for one in finished:
                        one.result()
                    if progress is not None:
                        progress(min(users, int(self._done.sum()) * self._part), users)
                    if time.monotonic() - self._saved_s > CHECKPOINT_EVERY_S:
                        self._save()
            except BaseException:
                wait(running)
                self._save()
                raise
        if self._checkpoint is not None:
            self._checkpoint.unlink(missing_ok=True)
        return RawDay(self._plan, *self._totals)

    def _count_part(self, part: int) -> None:
        start = part * self._part
        self._add(start, min(self._population.graph.users, start + self._part))
        with self._lock:
            self._done[part] = True

    def _add(self, start: int, stop: int) -> None:
        """Count some users with arrays of this thread's own, and add those to the totals."""
        if not hasattr(self._local, "arrays"):
            of_sums, of_small, celebrities = self._sizes
            self._local.arrays = [np.zeros(size, np.int64) for size in (of_sums - self._lists, self._lists, celebrities)]
            self._local.small = np.zeros(of_small - self._lists, np.uint32)
        sums, packed, list_reads = self._local.arrays
        small: Small = self._local.small
        people = self._population
        kernels.count_users(
            people.table, people.at, people.act, self._clock, self._slots, self._plan, start, stop, sums, small, packed, list_reads
        )
        widest = kernels.SCALAR_AT + kernels.WIDTH_MAX
        with self._lock:
            totals, by_shard, reads = self._totals
            most = max(int(totals[widest]), int(sums[widest]))
            totals[: len(sums)] += sums
            totals[widest] = most
            totals[len(sums) :] += packed & ((1 << kernels.PAGES_SHIFT) - 1)
            by_shard[: len(small)] += small
            by_shard[len(small) :] += packed >> kernels.PAGES_SHIFT
            reads += list_reads
        for mine in (sums, small, packed, list_reads):
            mine[:] = 0

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        self._saved_s = time.monotonic()
        beside = self._checkpoint.with_suffix(".part")
        with self._lock, beside.open("wb") as file:
            sums, small, list_reads = self._totals
            np.savez(file, signature=self._signature, done=self._done, sums=sums, small=small, list_reads=list_reads)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._checkpoint)

    def _resume(self) -> None:
        """Take up a count of the same day by the same rule; another's file is left unread."""
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        with np.load(self._checkpoint) as saved:
            if str(saved["signature"]) == self._signature:
                self._done = saved["done"]
                self._totals = [saved[name] for name in ("sums", "small", "list_reads")]


def plan_of(population: Population, rule: DayRule) -> Plan:
    """The numbers that compiled code counts by."""
    day = rule.start_ms // kernels.DAY_MS
    sampled = sample_users(population.graph.users, population.seed, SHARE_SAMPLE)
    pushed, here = kernels.pushed_share(population.table, population.at, population.act, sampled, int(rule.delivery))
    return Plan(
        key=int(mix(population.seed, DAY_STREAM + (day << 8))) >> 1,
        start_ms=rule.start_ms,
        redis=rule.epoch.redis,
        kafka=rule.epoch.kafka,
        mysql=rule.epoch.mysql,
        rule=int(rule.delivery),
        batch=rule.limits.fanout_batch,
        share=here / pushed if pushed else 0.0,
        exact=rule.mode is Mode.EXACT,
    )

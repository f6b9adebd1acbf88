"""The applying half of a job: wave after wave of batches under a lease, each followed by its checkpoint, then the reading back.

It neither plans nor asks, and never takes or gives back the lease.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import Mismatch, Stopped, StoreError, TwitError
from ..core.runs import Checkpoint, Fenced, Outcome, Run
from .plan import Operator, Options, Progress
from .procedure import Difference, Procedure, Site
from .steering import Steering
from .throttle import Throttle

if TYPE_CHECKING:
    from ..core.entries import Ids

METRICS_US = 1_000_000  # one line of metrics.csv a second at most


class Batches:
    """The applying half of a job: under the lease, in a run folder."""

    def __init__(
        self, procedure: Procedure, options: Options, site: Site, operator: Operator, stop: asyncio.Event, *, run: Run, fence: int,
    ) -> None:
        self._options, self._site = options, site
        self._operator, self._stop = operator, stop
        self._steering = Steering(run, options)
        self._procedure, self._run, self._fence = procedure, run, fence
        self._throttle = Throttle(self._steering, self._site.clock, procedure.downstream, self._stop)
        self._began_us = self._measured_us = self._site.clock.monotonic_us()
        self._first = self._done = self._total = 0
        self._tally: Counter[str] = Counter()

    async def carry_out(self, items: Ids) -> Outcome:
        """Apply from the checkpoint on, verify, record the end."""
        standing = self._run.checkpoint()
        self._total = len(items)
        if standing is not None:
            self._first = self._done = standing.done
            self._tally.update(standing.tally)
            self._fence = max(self._fence, standing.fence + 1)  # lease files are not synced: a power cut sets them back
        try:
            self._checkpoint()
            self._run.reopen()
            await self._apply(items)
            return await self._verified(items)
        except Stopped as stopped:
            self._end("stopped", error=str(stopped))
            stopped.try_ = stopped.try_ or self._resume_command()
            raise
        except (Mismatch, Fenced):
            raise  # the end is written, or another's to write
        except Exception as error:
            with suppress(StoreError):  # where the disk is full, that is what must be told
                self._end("failed", error=f"{type(error).__name__}: {error}")
            if isinstance(error, TwitError) and not error.try_:
                error.try_ = self._resume_command()
            raise

    async def _apply(self, items: Ids) -> None:
        size = self._procedure.batch
        while self._done < self._total:
            here = items[self._done : self._done + self._wave()]
            if self._stop.is_set() or not await self._throttle.before(len(here), self._tell):
                self._tell(final=True)
                what = f"stopped at {self._procedure.unit} {self._done:,}/{self._total:,}"
                raise Stopped(what, meaning="checkpoint written; what is done stays done")
            batches = [self._procedure.apply(here[at : at + size]) for at in range(0, len(here), size)]
            for result in await asyncio.gather(*batches, return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
                self._tally.update(result)
            self._done += len(here)
            self._checkpoint()
            self._tell(final=self._done == self._total)

    def _wave(self) -> int:
        """Items until the next checkpoint: all batches at once, or a quarter of a second's worth."""
        options = self._steering.options
        wave = self._procedure.batch * options.concurrency
        return min(wave, max(1, math.ceil(options.rate / 4))) if options.rate else wave

    async def _verified(self, items: Ids) -> Outcome:
        sample = sampled(items, self._options.verify_sample, self._run.manifest.seed)
        differences: list[Difference] = []
        for at in range(0, len(sample), self._procedure.batch):
            differences.extend(await self._procedure.verify(sample[at : at + self._procedure.batch]))
        if not differences:
            return self._end("done", verified=len(sample))
        path = write_differences(self._run, differences)
        self._end("mismatch", verified=len(sample), differences=len(differences))
        what = f"{len(differences):,} differences in {len(sample):,} {self._procedure.unit} read back"
        raise Mismatch(what, meaning=f"see {path}", try_="twit ops audit --check timelines")

    def _checkpoint(self) -> None:
        now = self._site.clock.now_ms()
        self._run.save_checkpoint(Checkpoint(done=self._done, fence=self._fence, at_ms=now, tally=dict(self._tally)))

    def _end(self, status: str, *, verified: int = 0, differences: int = 0, error: str = "") -> Outcome:
        now = self._site.clock.now_ms()
        outcome = Outcome(
            run_id=self._run.run_id, status=status, done=self._done, total=self._total, tally=dict(self._tally),
            verified=verified, differences=differences, ended_ms=now, error=error,
        )
        self._run.event(status, now, done=self._done, total=self._total, error=error)
        self._run.finish(outcome)
        return outcome

    def _tell(self, why: str = "", *, final: bool = False) -> None:
        now = self._site.clock.monotonic_us()
        took_us = max(1, now - self._began_us)
        per_s = (self._done - self._first) * 1_000_000 / took_us
        with suppress(Exception):  # progress never stops the work
            if final or now - self._measured_us >= METRICS_US:
                self._measured_us = now
                self._run.metric(
                    at_ms=self._site.clock.now_ms(), done=self._done, total=self._total, per_s=per_s,
                    lag_ms=self._throttle.last_lag_ms, throttled_ms=self._throttle.waited_us // 1_000,
                )
            self._operator.progress(Progress(
                run_id=self._run.run_id, unit=self._procedure.unit, done=self._done, total=self._total, per_s=per_s,
                eta_s=(self._total - self._done) / per_s if per_s else -1.0, throttled=why,
                throttled_share=self._throttle.waited_us / took_us, final=final,
            ))

    def _resume_command(self) -> str:
        return self._site.resume.format(run=self._run.run_id)


def sampled(items: Ids, share: float, seed: int) -> Ids:
    """Return a seeded sample of `share` in [0, 1] of the items, in their order: at least one of them unless the share is 0."""
    count = min(len(items), math.ceil(len(items) * share))
    places = sorted(random.Random(seed).sample(range(len(items)), count))
    return items[np.array(places, dtype=np.int64)]


def write_differences(run: Run, differences: Sequence[Difference]) -> Path:
    """Write differences.csv into the run folder."""
    lines = ["item,cause,detail", *(f'{d.item},{d.cause},"{d.detail.replace(chr(34), chr(39))}"' for d in differences)]
    return run.write("differences.csv", ("\n".join(lines) + "\n").encode())

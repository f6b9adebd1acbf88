"""`twit ops rebuild-timeline`: home timelines recomputed from the stores of truth and swapped in, row by row.

Readers never see a short or an empty page: a row stays as it is until the swap, and what is pushed meanwhile is kept by
`Timelines.replace`, which refuses where the row moved. A row that is right already is not written. Absent rows (readers not
seen for long) are skipped: they are rebuilt on return.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ..core.caches import Caches
from ..core.clock import Clock
from ..core.entries import Row, RowState
from ..core.errors import NotFound
from ..core.limits import Limits
from ..core.ports import Stores
from ..core.rebuild import Truth
from ..core.workers import GROUPS
from .durations import seconds
from .lag import lags
from .pending import pending
from .plan import Draft, Level, Options, Plan, PlanFile, fingerprint
from .procedure import Difference, Downstream

if TYPE_CHECKING:
    from ..core.entries import Entries, Ids

NAME = "rebuild-timeline"
ATTEMPTS_MAX = 5  # removals that move a row under us; so many in a row are no accident
VERIFY_TRIES = 5
VERIFY_WAIT_S = 0.1
YIELD_EVERY = 16  # readers between two chances for others on this loop
SAMPLE = 32  # users whose timelines are computed to say what the whole would cost
CHUNK = 4_096  # users asked about at once while selecting
UNDO = "not needed: each row is swapped whole and can be rebuilt from truth at any time"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Whom: those asked for, or every reader with a live row; `since_ms` keeps only those seen since then."""

    asked: tuple[int, ...] = ()
    all_active: bool = False
    since_ms: int = 0


class RebuildTimelines:
    """`procedure.Procedure` over readers."""

    name, prefix, unit, batch = NAME, "rt", "users", 128  # a store keeps a thousand marks at least; four batches at once take half of them

    def __init__(self, stores: Stores, limits: Limits, clock: Clock, selection: Selection, options: Options) -> None:
        self._stores, self._limits, self._clock = stores, limits, clock
        self._selection, self._options = selection, options
        # one entry more than a row holds: `complete_back_to` is then just above what is cut off, as after a push
        wider = msgspec.structs.replace(limits, timeline_entries_max=limits.timeline_entries_max + 1)
        self._began_at = -1  # the log's end when the first row was looked at
        self._source = Truth(stores, wider, Caches(stores, limits, clock))

    async def plan(self, context: str, kept: PlanFile | None) -> Draft:
        """Select, and compute some of them to say what all would cost."""
        selection = self._selection if kept is None else _selection_of(kept)
        listed, items = await self._select(selection)
        parameters: dict[str, int | str | bool] = {"all_active": selection.all_active, "since_ms": selection.since_ms}
        world = f"timeline_entries_max={self._limits.timeline_entries_max}"
        plan = Plan(
            procedure=self.name, context=context, unit=self.unit, count=len(items),
            level=Level.MILD if listed == 1 else Level.MODERATE, facts=await self._facts(listed, items), undo=UNDO,
            parameters=parameters, fingerprint=fingerprint(self.name, context, parameters, items, world),
        )
        return Draft(plan=plan, items=items, asked=selection.asked)

    async def apply(self, items: Ids) -> Mapping[str, int]:
        """Bring these rows in line with the truth: replaced, unchanged, inactive, or contended (left to their next reader)."""
        if self._began_at < 0:
            self._began_at = await self._stores.log.tail()
        tally: Counter[str] = Counter()
        left = items.tolist()
        for _ in range(ATTEMPTS_MAX):
            left = await self._attempt(left, tally)
            if not left:
                return tally
        tally["contended"] += len(left)
        return tally

    async def verify(self, items: Ids) -> Sequence[Difference]:
        """Compare rows with the truth once more. What is still on its way by fan-out is waited for, then passed over."""
        differing = items.tolist()
        for attempt in range(VERIFY_TRIES):
            if attempt:
                await self._clock.sleep(VERIFY_WAIT_S)
            found = await self._differences(differing)
            differing = [one.item for one in found]
            if not differing:
                break
        return found

    async def downstream(self) -> Downstream:
        """Fan-out writes the same rows. Where nobody consumes, waiting would not help."""
        lag = (await lags(self._stores, ("fanout",), self._clock.now_ms()))[0]
        return Downstream(name="fanout", lag_ms=lag.lag_ms if lag.owner else None)

    async def _truths(self, readers: Sequence[int]) -> Iterator[tuple[Entries, int]]:
        """What each row should hold, and how far down it is complete then; put together one by one, so that each is written while it is
        at hand."""
        most = self._limits.timeline_entries_max
        found = await self._source.truths(readers)
        return ((entries[:most], int(entries[most, 0]) + 1 if len(entries) > most else 0) for entries, _ in found)

    async def _attempt(self, readers: list[int], tally: Counter[str]) -> list[int]:
        """One pass; returns whose row moved meanwhile. Marks come first: what is pushed from then on is kept by `replace`."""
        timelines, now = self._stores.timelines, self._clock.now_ms()
        marks = [(reader, mark) for reader, mark in zip(readers, await timelines.mark(readers, now), strict=True) if mark]
        tally["inactive"] += len(readers) - len(marks)
        moved: list[int] = []
        truths = await self._truths([reader for reader, _ in marks])
        for at, ((reader, mark), (entries, complete_back_to)) in enumerate(zip(marks, truths, strict=True)):
            if at % YIELD_EVERY == 0:
                await self._clock.sleep(0)
            row = await timelines.read(reader, 0, self._limits.timeline_entries_max, now)
            if holds(row, entries, complete_back_to):
                tally["unchanged"] += 1
            elif await timelines.replace(reader, entries, complete_back_to, mark, now):
                tally["replaced"] += 1
            else:
                moved.append(reader)
        return moved

    async def _differences(self, readers: list[int]) -> list[Difference]:
        """Rows that lack or hold what they must not. People go on writing, so the truth is read before and after a row, and only
        what both say counts; what is older than either reaches back to is looked at only if nothing moved."""
        before, late = list(await self._truths(readers)), await pending(self._stores, GROUPS)
        now, tail = self._clock.now_ms(), await self._stores.log.tail()
        rows = [await self._stores.timelines.read(reader, 0, self._limits.timeline_entries_max, now) for reader in readers]
        differing = [
            at for at, (row, (entries, back_to)) in enumerate(zip(rows, before, strict=True))
            if row.state is not RowState.ABSENT and not holds(row, entries, back_to)
        ]  # fmt: skip
        after = await self._truths([readers[at] for at in differing])
        calm = self._began_at == tail == await self._stores.log.tail() and not late.anything
        found = []
        for at, (later, later_back_to) in zip(differing, after, strict=True):
            reader, row, (entries, back_to) = readers[at], rows[at], before[at]
            floor = max(row.complete_back_to, back_to, later_back_to)
            held = row.entries[row.entries[:, 0] >= floor, 0]
            missing = np.setdiff1d(np.intersect1d(entries[:, 0], later[:, 0]), held)
            extra = np.setdiff1d(held, np.union1d(entries[:, 0], later[:, 0]))
            wrong = [tweet for tweet in (*missing[missing >= floor].tolist(), *extra.tolist()) if not late.explains(tweet, 0, reader)]
            if wrong or calm or row.state is not RowState.COMPLETE:
                cause = "coverage" if not wrong else "missing" if wrong[0] in missing else "extra"
                detail = f"{wrong[:5]}; complete_back_to {row.complete_back_to}, of the truth {back_to}"
                found.append(Difference(item=reader, cause=cause, detail=detail))
        return found

    async def _select(self, selection: Selection) -> tuple[int, Ids]:
        """How many were listed, and which of them have a live row, in order of id."""
        if selection.asked:
            asked = np.unique(np.array(selection.asked, dtype=np.int64))
            await self._must_exist(asked)
            listed, kept = len(asked), [await self._live(asked[at : at + CHUNK]) for at in range(0, len(asked), CHUNK)]
        else:
            residents = await self._residents()
            listed, kept = len(residents), [residents]
        if selection.since_ms:
            kept = [await self._seen_since(part, selection.since_ms) for part in kept]
        return listed, np.concatenate(kept)

    async def _must_exist(self, asked: Ids) -> None:
        highest = await self._stores.accounts.count()
        unknown = asked[(asked < 1) | (asked > highest)]
        if len(unknown):
            shown = ", ".join(map(str, unknown[:5].tolist()))
            what = f"{len(unknown):,} of the users do not exist: {shown}" + (", …" if len(unknown) > 5 else "")
            raise NotFound(what, meaning="nothing was written")

    async def _live(self, part: Ids) -> Ids:
        marks = await self._stores.timelines.mark(part.tolist(), self._clock.now_ms())
        live: Ids = part[np.array([mark is not None for mark in marks], dtype=bool)]
        return live

    async def _residents(self) -> Ids:
        found: list[Ids] = [np.empty(0, np.int64)]
        after = 0
        while len(part := await self._stores.timelines.residents(after, CHUNK, self._clock.now_ms())):
            found.append(part)
            after = int(part[-1])
        return np.concatenate(found)

    async def _seen_since(self, part: Ids, since_ms: int) -> Ids:
        now = self._clock.now_ms()
        seen = [(await self._stores.timelines.read(reader, 0, 1, now)).seen_ms >= since_ms for reader in part.tolist()]
        kept: Ids = part[np.array(seen, dtype=bool)]
        return kept

    async def _facts(self, listed: int, items: Ids) -> tuple[tuple[str, str], ...]:
        skipped = listed - len(items)
        users = f"{len(items):,}" + (f" ({listed:,} listed, {skipped:,} skipped: inactive or not seen since)" if skipped else "")
        bound = self._limits.timeline_entries_max
        held = f"fan-out lag ≤ {seconds(self._options.max_lag_ms)}" if self._options.max_lag_ms else "none"
        if self._options.rate:
            held = f"{self._options.rate:g} users/s, {held}"
        facts = [("users", users)]
        if len(items):
            follows, entries, differ, took_us = await self._cost(items)
            whole_s = max(took_us * len(items) / 1e6, len(items) / self._options.rate if self._options.rate else 0.0)
            facts += [
                ("read", f"~{follows:,} follows, ~{entries:,} entries from the stores of truth"),
                ("write", f"≤ {len(items):,} × {bound} entries; ~{differ:.0%} of the rows differ"),
                ("estimate", f"~{seconds(whole_s * 1_000)}" if whole_s >= 1 else "< 1 s"),
            ]
        return (*facts, ("throttle", held))

    async def _cost(self, items: Ids) -> tuple[int, int, float, float]:
        """Follows and entries to read, the share of rows that differ, microseconds a user: from a spread sample."""
        sample = items[np.linspace(0, len(items) - 1, min(SAMPLE, len(items)), dtype=np.int64)].tolist()
        began, now = self._clock.monotonic_us(), self._clock.now_ms()
        truths = list(await self._truths(sample))
        follows = sum(len(following.followees) for following in await self._stores.graph.following(sample))
        differ = 0
        for reader, (entries, complete_back_to) in zip(sample, truths, strict=True):
            row = await self._stores.timelines.read(reader, 0, self._limits.timeline_entries_max, now)
            differ += not holds(row, entries, complete_back_to)
        scale = len(items) / len(sample)
        took_us = (self._clock.monotonic_us() - began) / len(sample)
        return round(follows * scale), round(sum(len(e) for e, _ in truths) * scale), differ / len(sample), took_us


def _selection_of(kept: PlanFile) -> Selection:
    parameters = kept.plan.parameters
    return Selection(asked=tuple(kept.asked), all_active=bool(parameters["all_active"]), since_ms=int(parameters["since_ms"]))


def holds(row: Row, entries: Entries, complete_back_to: int) -> bool:
    """Whether the row is complete and says exactly this."""
    same = row.state is RowState.COMPLETE and not row.more and row.complete_back_to == complete_back_to
    return same and np.array_equal(row.entries, entries)


"""What a procedure is to the job that runs it, and where jobs run. Only shapes: nothing here acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from ..core.clock import Clock
from ..core.ports import Stores
from ..core.runs import Runs
from .plan import Draft, PlanFile

if TYPE_CHECKING:
    from ..core.entries import Ids


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What was read back and is not as it should be. `cause` is one word or two; `detail` names ids."""

    item: int
    cause: str
    detail: str


class Downstream(msgspec.Struct, frozen=True, kw_only=True):
    """The lag of what the writes load. `lag_ms` is `None` where it is unknown, or cannot shrink by waiting (nobody consumes)."""

    name: str
    lag_ms: int | None


class Procedure(Protocol):
    """One kind of work. Made by a `Maker` over the stores it may use."""

    name: str  # as the command is called
    prefix: str  # of run ids
    unit: str  # what the items are, in the plural
    batch: int  # items in one idempotent step

    async def plan(self, context: str, kept: PlanFile | None) -> Draft:
        """Select items and say what would be done. A plan file gives its selection; `None`: the command's own."""

    async def apply(self, items: Ids) -> Mapping[str, int]:
        """Do it to these, so that doing it again changes nothing; returns what happened, counted."""

    async def verify(self, items: Ids) -> Sequence[Difference]:
        """Read back what was written to these and compare."""

    async def downstream(self) -> Downstream:
        """The lag of what the writes load."""


Maker = Callable[[Stores], Procedure]


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where a job runs and on whose behalf. `resume` is the command that resumes, with `{run}` in it."""

    context: str
    protected: bool
    actor: str
    version: str
    commit: str
    settings: dict[str, str]
    stores: Stores
    runs: Runs
    clock: Clock
    resume: str = "twit ops runs resume {run}"

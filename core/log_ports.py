"""What the core asks of the event log, and of those who follow it: lanes, the place of each consumer, leases.

The other ports lie in `ports.py`, with the rules that hold for these too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .entries import Delivery
from .events import Event, GroupLag, LoggedEvent, Parked, Progress, Work


class EventLog(Protocol):
    """What happened, in order. Writes elsewhere append to it; consumers follow it group by group.

    `Stores.log` is what a process follows to keep its caches true: every event, those of one key in order, with offsets that
    may be of this process alone. A lane's log is what a consumer works through: its offsets mean the same to everybody.
    """

    def moved(self, after: int) -> bool:
        """Whether there is an event with offset > `after`, appended here or by another process. Cheap enough to ask before
        each answer; `after` is the asker's own place, since several follow one log."""

    def turn(self) -> int:
        """Moves whenever a store holds something new that no event tells of, as a computed world does while its clock passes:
        whoever keeps what he read forgets it then. 0 for ever where everything has its event. Asked before each answer."""

    async def append(self, events: Sequence[Event]) -> int:
        """Append events that belong to no other write; returns the last offset."""

    async def read(self, after: int, limit: int) -> list[LoggedEvent]:
        """Events with offset > `after`, in order."""

    async def tail(self) -> int:
        """The last offset; 0 for none."""

    async def caught_up(self) -> None:
        """Come back when every event that was durable before this call can be read here and in the lanes of this process."""

    async def offset(self, name: str) -> int:
        """How far the consumer of that name (`Lane.name`) has got; one never seen starts at 0."""

    async def wait(self, after: int, timeout_s: float) -> bool:
        """Return true as soon as there is an event with offset > `after`; false after `timeout_s`."""

    async def lag(self, names: Sequence[str], now_ms: int) -> list[GroupLag]:
        """How far behind each group (of a lane's log: each lane) of that name is. `owner` holds the lease of the same name; of a
        group of several lanes figures are sums, `lag_ms` is the worst, `owner` names each holder once."""

    async def trim(self, before_ms: int, names: Sequence[str]) -> int:
        """Drop the oldest events, as far as all are older than `before_ms` and every one of `names` has passed them and done
        the work they caused, and the accounts of delivery with them; returns how many events."""


class WorkLog(Protocol):
    """Where consumers keep their place: continuations, accounts of deliveries, parked events. `group` is a `Lane.name`."""

    async def claim(self, group: str, fence: int) -> None:
        """Begin as the holder of the group's lease: from here on `advance` refuses what was done under an older fence. Nothing to
        do where a lease lasts as long as its holder. Raises `Superseded` where a newer one has begun."""

    async def advance(self, progress: Sequence[Progress]) -> None:
        """Record progress, in the order that `Progress` states; at least a prefix of it survives a crash. Raises `Superseded`."""

    async def pending(self, group: str) -> list[Work]:
        """Continuations not done, oldest first."""

    async def deliveries(self, tweets: Sequence[int]) -> list[list[Delivery]]:
        """Accounts of each tweet, in order of batch, up to its last; kept as long as the events that caused them (`EventLog.trim`)."""

    async def park(self, group: str, logged: LoggedEvent, error: str, at_ms: int) -> None:
        """Put an event out of the way; the group's offset is moved by `advance`."""

    async def parked(self, group: str | None, after: int, limit: int) -> list[Parked]:
        """Parked events of a group or of all."""

    async def unpark(self, parked_ids: Sequence[int]) -> list[Parked]:
        """Take them back to be handled once more by the caller."""


class Lane(NamedTuple):
    """One sequence of events that one consumer at a time works through: a group's whole log, or a part of it that holds all
    events of its keys. Its place, its work and its lease go by its `name`, which is the group's where it is the only one."""

    name: str
    group: str
    log: EventLog
    work: WorkLog


class Lease(Protocol):
    """A held lease; `fence` rises with each holder."""

    fence: int

    @property
    def lost(self) -> bool:
        """Whether it ended without `release`, as with the connection that held it: another may have it by now."""

    def release(self) -> None:
        """Give it back; more than once is harmless."""


class Leases(Protocol):
    """Who may do what only one may do. Released when the holder dies, whatever killed it."""

    async def acquire(self, name: str, holder: str) -> Lease | None:
        """Take it, or `None` where another holds it. `holder` says who, where and what for."""

    async def holder(self, name: str) -> str:
        """Who holds it, "" for nobody."""

    async def node(self, holder: str) -> tuple[int, Lease]:
        """Take any free node id of tweet ids, in [0, `ids.LEASED_NODES`)."""

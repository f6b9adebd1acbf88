"""What the queues know and say: servers and their policies, the load of a block, the state between blocks.

Times inside are seconds as floats, counted from the block's start, and windows are numbered from the run's start; at the
door (`Delay`, `at`) time is whole virtual microseconds. Counts are int64 and add up the same in any order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..kinds import Kind, Tier

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Effect(StrEnum):
    """What became of a request whose caller no longer waits."""

    DONE = "done"  # the store does it all the same, later
    NEVER = "never"  # it was thrown away unstarted


@dataclass(frozen=True, slots=True)
class Served:
    """An answer: the wait for a server, the work itself, the way there and back."""

    wait_us: int
    service_us: int
    net_us: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Turned away at once: shed, or nobody there. There is no effect."""

    after_us: int = 0


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The caller gave up; `effect` says whether the work is done nevertheless."""

    after_us: int
    effect: Effect


class Delay(Protocol):
    """All that a modelled store knows of the queues. `t` is virtual µs, `u01` a keyed hash of (seed, request, call)."""

    def at(self, kind: Kind, shard: int, t: int, elements: int, bytes: int, u01: float) -> Served | Refused | TimedOut:  # noqa: A002 - the contract's word
        """What happens to a call that reaches `shard` at `t`."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A cause of standing still: once in every `every_s`, at a drawn instant, for `for_s` (mean, if `spread` > 0: then
    exponential). `together`: all shards of the tier at the same instants."""

    name: str
    every_s: float
    for_s: float
    spread: bool = False
    together: bool = False

    @property
    def seconds_a_day(self) -> float:
        """The duty cycle, as the stall budget counts it."""
        return 86_400.0 * self.for_s / self.every_s


@dataclass(frozen=True, slots=True)
class Retries:
    """What callers do when refused or timed out: with probability `p` they come back after `backoff_s` (up to twice that).

    `attempts` bounds the tries of one request, 0: no bound. `budget` is the retries allowed a first attempt (a token bucket a
    shard of `burst` tokens); infinite: no budget.
    """

    p: float = 0.0
    backoff_s: float = 0.1
    attempts: int = 3
    budget: float = float("inf")
    burst: float = 100.0


@dataclass(frozen=True, slots=True)
class Server:
    """One shard of a tier: how many serve its queue, when callers give up, what is turned away, when it stands still."""

    tier: Tier
    kinds: tuple[Kind, ...]
    servers: int = 1
    timeout_s: float = float("inf")  # on the response: wait and work
    abandoned_work_is_done: bool = True
    shed_wait_s: float = float("inf")  # a wait longer than this is refused at the door
    retries: Retries = field(default_factory=Retries)
    stalls: tuple[Stall, ...] = ()
    variation: tuple[float, ...] = ()  # coefficient of variation of the work of each kind; empty: none varies


@dataclass(frozen=True, slots=True)
class Rule:
    """How finely to look: closed form below `closed_below` when all is calm; at most about `events_max` events a window and
    shard (consecutive calls of a kind are bundled beyond); `grid` instants a window at which the wait is kept."""

    closed_below: float = 0.5
    events_max: int = 256
    grid: int = 8
    horizon: int = 256  # windows ahead that completions are told apart when callers never give up; later ones end there


@dataclass(frozen=True, slots=True)
class Load:
    """A block of one tier. The counts are drawn, not expected: calls of a window are taken as placed at random in it."""

    window0: int  # number of the first window since the run's start
    window_us: int
    calls: Ints  # [kind, shard, window], kinds as in Server.kinds
    work_s: Floats  # [kind] or [kind, shard]: mean seconds of a call

    @property
    def windows(self) -> int:
        return int(self.calls.shape[2])

    @property
    def t0_us(self) -> int:
        return self.window0 * self.window_us

    @property
    def t1_us(self) -> int:
        return (self.window0 + self.windows) * self.window_us


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the other layers answer to the last block: rebuilds charged here, shards that are down, slow, or to be watched."""

    extra: Ints | None = None  # [kind, shard, window] more calls: rebuild work, catching up
    down: Floats | None = None  # [shard, 2] absolute seconds from and until a shard is down
    slow: Floats | None = None  # [shard] factor on all work
    watched: NDArray[np.bool_] | None = None  # [shard] always per request: cold, or being looked at
    workers: int = 1


NO_FEEDBACK = Feedback()
DEFAULT_RULE = Rule()


class Ledger(NamedTuple):
    """Attempts and requests since the start, by shard and kind."""

    first: Ints
    retried: Ints  # attempts after the first
    served: Ints
    shed: Ints
    timed_out: Ints
    in_flight: Ints  # attempts whose end lies ahead
    to_be_served: Ints  # those in flight that will be answered in time
    waiting: Ints  # requests whose next attempt lies ahead
    given_up: Ints  # requests that ended, or will, without an answer

    def broken(self) -> list[str]:
        """The identities that do not hold; empty when all is well."""
        wrong = []
        if not np.array_equal(self.first + self.retried, self.served + self.shed + self.timed_out + self.in_flight):
            wrong.append("offered = served + shed + timed out + in flight")
        if not np.array_equal(self.first, self.served + self.to_be_served + self.given_up + self.waiting):
            wrong.append("requests = served + to be served + given up + waiting to retry")
        return wrong


@dataclass(frozen=True, slots=True)
class State:
    """A tier between two blocks."""

    server: Server
    rule: Rule
    seed: int
    window_us: int
    free: Floats  # [shard, server] seconds after `at_us` until free, a heap; negative: calm, in closed form
    pool: Ints  # [shard, kind, attempt, horizon] attempts due, by window modulo horizon
    due: Ints  # [shard, kind, 2, horizon] answers and time-outs still to come, by window modulo horizon
    tokens: Floats  # [shard] retry budget
    counts: Ints  # [shard, kind, 7] as in `COUNTED`
    cold: Ints  # [activity class, shard] users whose row is lost
    stall_until: Floats  # [shard] seconds after `at_us`; 0: not standing still
    up: NDArray[np.bool_]  # [shard]
    at_us: int = 0

    @property
    def shards(self) -> int:
        return int(self.free.shape[0])

    @property
    def backlog(self) -> Floats:
        """Seconds an arrival would wait now, by shard. For a consumer of a log this is its lag."""
        wait: Floats = np.maximum(np.maximum(self.free.min(axis=1), 0.0), self.stall_until)
        return wait

    @property
    def lag(self) -> Floats:
        """Seconds that the consumer of a partition is behind."""
        return self.backlog

    @property
    def waiting(self) -> int:
        """Attempts in the retry pool."""
        return int(self.pool.sum())

    def ledger(self) -> Ledger:
        """What was offered and what became of it, by shard and kind."""
        first, retried, served, shed, timed_out, _, given_up = np.moveaxis(self.counts, 2, 0)
        ahead = self.due.sum(axis=3)
        return Ledger(
            first, retried, served - ahead[:, :, 0], shed, timed_out - ahead[:, :, 1],
            in_flight=ahead.sum(axis=2), to_be_served=ahead[:, :, 0], waiting=self.pool.sum(axis=(2, 3)), given_up=given_up,
        )  # fmt: skip


COUNTED = ("first", "retried", "served", "shed", "timed_out", "retries", "given_up")


def fresh(server: Server, shards: int, seed: int, *, window_us: int, rule: Rule = DEFAULT_RULE, classes: int = 1,
          at_us: int = 0) -> State:  # fmt: skip
    """A tier that is empty, warm and up."""
    kinds, tries = len(server.kinds), server.retries
    levels = tries.attempts or 2
    again = horizon(min(server.timeout_s, 60.0) + 2 * tries.backoff_s, window_us) if tries.p else 1  # an endless time-out never fails
    ends = horizon(server.timeout_s, window_us) if server.timeout_s < float("inf") else rule.horizon
    return State(
        server, rule, seed, window_us,
        free=np.zeros((shards, server.servers)), pool=np.zeros((shards, kinds, levels, again), np.int64),
        due=np.zeros((shards, kinds, 2, ends), np.int64), tokens=np.full(shards, tries.burst if tries.budget < float("inf") else float("inf")),
        counts=np.zeros((shards, kinds, len(COUNTED)), np.int64), cold=np.zeros((classes, shards), np.int64),
        stall_until=np.zeros(shards), up=np.ones(shards, np.bool_), at_us=at_us,
    )  # fmt: skip


def horizon(seconds: float, window_us: int) -> int:
    """Windows that a ring needs to tell every moment within `seconds` apart."""
    return int(seconds * 1e6 / window_us) + 3

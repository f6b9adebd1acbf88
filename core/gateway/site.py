"""What handlers work with, in one hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from ..clock import Clock
from ..service import Twit
from .fragments import Fragments
from .inflight import InFlight
from .metrics import Stats
from .ratelimits import RateLimiter


class Site(msgspec.Struct, kw_only=True):
    """One gateway over one service. `draining` is set once, when the process was asked to stop.

    `consumers` says of each consumer group that this process should run: "ok", "elsewhere" (another process has it), or what
    is wrong.
    """

    twit: Twit
    clock: Clock
    fragments: Fragments
    limiter: RateLimiter
    in_flight: InFlight
    stats: Stats
    openapi: bytes
    docs: bytes
    draining: bool = False
    consumers: Callable[[], Mapping[str, str]] = dict

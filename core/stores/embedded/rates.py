"""Token buckets of this process. Nothing is stored: a restart fills every bucket.

A bucket that has filled up again says nothing that a new one would not, so such buckets are what is dropped when too many
are kept.
"""

from __future__ import annotations

from typing import TypeAlias

KEPT_MAX = 200_000

Bucket: TypeAlias = "list[float]"  # tokens at the last take, its moment in µs, moment when full again in µs


class TokenBuckets:
    """`ports.RateLimits` over a dictionary in order of last use."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, burst: int, per_s: float, now_us: int) -> tuple[bool, int, float]:
        bucket = self._buckets.pop(key, None)
        tokens = float(burst)
        if bucket is not None:
            tokens = min(tokens, bucket[0] + max(0.0, now_us - bucket[1]) * per_s / 1e6)
        allowed = tokens >= 1
        if allowed:
            tokens -= 1
        full_us = now_us + (burst - tokens) / per_s * 1e6
        self._buckets[key] = [tokens, now_us, full_us]
        if len(self._buckets) > self._kept_max:
            self._drop(now_us)
        return allowed, int(tokens), 0.0 if tokens >= 1 else (1 - tokens) / per_s

    def _drop(self, now_us: int) -> None:
        """Drop what is full again; where that is not enough, the least recently used quarter, for memory has a bound."""
        kept = {key: bucket for key, bucket in self._buckets.items() if bucket[2] > now_us}
        surplus = len(kept) - self._kept_max * 3 // 4
        for key in list(kept)[: max(0, surplus)]:
            del kept[key]
        self._buckets = kept

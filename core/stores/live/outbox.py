"""The promise that a write and its events are both durable, over two systems: an outbox beside the data, carried to Kafka.

A store writes its events as rows of its own outbox in the same durable step as the data, then says `wrote`. From there the
relay shows them to this process at once, sends them to Kafka, and has the rows taken away once Kafka has them. What a crash
leaves behind is found by `waiting` and sent later: at least once, so every handler is idempotent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ...events import Event


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """An event in an outbox. `place` is its source's own name for the row."""

    source: str
    place: bytes
    event: Event


class OutboxSource(Protocol):
    """A store with an outbox."""

    name: str

    async def waiting(self, before_ms: int, limit: int) -> list[Outgoing]:
        """Rows written before `before_ms`, the oldest first (as far as one can tell over shards)."""

    async def found(self, outgoing: Sequence[Outgoing]) -> None:
        """A sweep found these and Kafka has them: do what whoever wrote them may have died before. Again is harmless."""

    async def sent(self, outgoing: Sequence[Outgoing]) -> None:
        """Kafka has them: take their rows away. Again is harmless."""


class Outbox(Protocol):
    """Where stores hand over what they wrote. Fulfilled by the relay to Kafka."""

    def wrote(self, outgoing: Sequence[Outgoing]) -> None:
        """These rows are durable. Returns at once; called on the loop, in the order in which the writes were done."""

    def attach(self, source: OutboxSource) -> None:
        """Sweep this source for what a crash left behind."""

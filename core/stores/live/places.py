"""What the event log asks of the store that keeps the consumers' places, wherever that is.

Kafka's own committed offsets are for the field's tools: the place that counts is recorded in one step with the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...log_ports import WorkLog


class Backlog(Protocol):
    """What a consumer has still to do beside its events. `oldest_ms` and `first_work` are 0 where there is no work."""

    @property
    def work(self) -> int:
        """Continuations that are not done."""

    @property
    def oldest_ms(self) -> int:
        """When what the oldest of them serves was made."""

    @property
    def first_work(self) -> int:
        """The lowest id of them."""

    @property
    def parked(self) -> int:
        """Events out of the way."""


class Places(WorkLog, Protocol):
    """`WorkLog`, and what only a log wants to know of it."""

    async def offset(self, name: str) -> int:
        """How far the consumer of that name has got; 0 for one never seen."""

    async def backlog(self, name: str) -> Backlog:
        """Work that is not done and events that are parked."""

    async def forget(self, tweets: Sequence[int]) -> None:
        """Drop the accounts of delivery of these tweets."""

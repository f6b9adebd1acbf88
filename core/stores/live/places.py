"""What the event log asks of the store that keeps the consumers' places, wherever that is.

Kafka's own committed offsets are for the field's tools: the place that counts is recorded in one step with the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...log_ports import WorkLog


class Places(WorkLog, Protocol):
    """`WorkLog`, and what only a log wants to know of it."""

    async def offset(self, name: str) -> int:
        """How far the consumer of that name has got; 0 for one never seen."""

    async def forget(self, tweets: Sequence[int]) -> None:
        """Drop the accounts of delivery of these tweets."""

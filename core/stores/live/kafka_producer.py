"""Sends events to Kafka in batches, each known to every replica before the next one is begun.

A batch that failed may lie there in part. Whoever sends it again sends all of it, in the same order: a key's last event then is
the last one there too, whatever was doubled before it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from kafka import KafkaProducer, TopicPartition

from .bridge import Bridge
from .config import Access
from .kafka_client import options, translated

BATCH_MAX = 1_000  # records sent before they are waited for: some 40 ms of work
BATCH_BYTES = 256 << 10
MARGIN = 0.8  # of the time that a caller waits: the driver gives up first, so that its thread comes back


class Outbound(NamedTuple):
    """One record. `by` is the process that has shown it to itself already; empty for none."""

    place: TopicPartition
    key: bytes
    value: bytes
    by: bytes


class Producer:
    """One connection of this process. `sent` counts records, for tests of what a write costs."""

    def __init__(self, access: Access, timeout_ms: int) -> None:
        self.sent = 0
        self._timeout_s = timeout_ms * MARGIN / 1_000
        part_ms = round(timeout_ms * MARGIN / 3)
        self._options = options(access, part_ms) | {
            "acks": "all", "enable_idempotence": True, "delivery_timeout_ms": 2 * part_ms, "max_block_ms": part_ms,
            "batch_size": BATCH_BYTES, "allow_auto_create_topics": False, "metrics_enabled": False,
        }  # fmt: skip
        self._bridge = Bridge("kafka", 1, timeout_ms, translated)
        self._producer: Any = None

    async def send(self, records: Sequence[Outbound]) -> list[int]:
        """Their offsets in Kafka, once all replicas that are in sync have them. Raises `StoreDown`, `StoreTimeout`, `StoreFull`:
        some may be there then."""
        offsets: list[int] = []
        for at in range(0, len(records), BATCH_MAX):
            offsets += await self._bridge.run(self._send, records[at : at + BATCH_MAX])
        return offsets

    def close(self) -> None:
        """After what runs."""
        self._bridge.close()
        if self._producer is not None:
            self._abandon()  # every send has been waited for

    def _send(self, records: Sequence[Outbound]) -> list[int]:
        deadline_s = time.monotonic() + self._timeout_s
        try:
            if self._producer is None:
                self._producer = KafkaProducer(**self._options)
            futures = [
                self._producer.send(
                    record.place.topic, key=record.key, value=record.value, partition=record.place.partition,
                    headers=[("by", record.by)] if record.by else None,
                )
                for record in records
            ]  # fmt: skip
            self._producer.flush(timeout=max(0.1, deadline_s - time.monotonic()))
            self.sent += len(futures)
            return [future.get(timeout=0).offset for future in futures]
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        """What it still holds must not come behind what is sent next; and one that gave up a batch may never send again."""
        producer, self._producer = self._producer, None
        if producer is not None:
            sender = producer._sender  # noqa: SLF001 - `close` alone would wait for the batches first
            sender.force_close()
            sender.join(self._timeout_s)
            with suppress(Exception):
                producer.close(timeout=0)

"""Asks Kafka for what is not at hand: events of long ago, ends, what to drop, places for the field's tools.

One connection for reading and one for administration, each used by one thread at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import NoError
from kafka.structs import OffsetAndMetadata

from ...errors import StoreCorrupt, StoreTimeout
from ...events import Event
from .bridge import Bridge
from .config import Access
from .kafka_client import consumer_options, options, translated
from .kafka_tail import decode

FETCH_BYTES = 256 << 10
FETCH_MAX = 2_048  # events at once: a reader that is behind takes them from memory one batch after the other
MARGIN = 0.8
PATIENCE_S = 1.5  # with one consumer for what is there; a broker answers in milliseconds


class Fetcher:
    """Of one process, for all its partitions."""

    def __init__(self, access: Access, places: Sequence[TopicPartition], timeout_ms: int) -> None:
        self._access = access
        self._places = list(places)
        self._timeout_ms = round(timeout_ms * MARGIN)
        self._reading = Bridge("kafka-fetch", 1, timeout_ms, translated)
        self._ruling = Bridge("kafka-admin", 1, timeout_ms, translated)
        self._consumer: Any = None
        self._admin: Any = None

    async def fetch(self, place: TopicPartition, offset: int) -> tuple[int, list[Event]]:
        """Some events from `offset` on, or from the oldest that is still there; none at the end. Returns the offset of the first.
        Raises `StoreCorrupt` where one cannot be read."""
        return await self._reading.run(self._fetch, place, offset)

    async def bounds(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """The oldest offset that is there, and the one after the newest."""
        return await self._reading.run(self._bounds, list(places))

    async def drop(self, before: Mapping[TopicPartition, int]) -> None:
        """Delete what lies before these offsets."""
        await self._ruling.run(self._drop, dict(before))

    async def tell(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit places under a group's name, for tools to show. Nothing here ever reads them."""
        await self._ruling.run(self._tell, group, dict(offsets))

    def close(self) -> None:
        """After what runs."""
        self._reading.close()
        self._ruling.close()
        self._let_go()
        if self._admin is not None:
            self._admin.close()

    def _reader(self) -> Any:
        if self._consumer is None:
            consumer = KafkaConsumer(
                **consumer_options(self._access, self._timeout_ms), max_poll_records=FETCH_MAX, max_partition_fetch_bytes=FETCH_BYTES
            )  # fmt: skip
            consumer.assign(self._places)
            consumer.pause(*self._places)  # one at a time, and only when asked
            self._consumer = consumer
        return self._consumer

    def _ruler(self) -> Any:
        if self._admin is None:
            self._admin = KafkaAdminClient(**options(self._access, self._timeout_ms))
        return self._admin

    def _fetch(self, place: TopicPartition, offset: int) -> tuple[int, list[Event]]:
        first, end = self._bounds([place])[place]
        offset = max(offset, first)
        if offset >= end:
            return offset, []
        deadline = time.monotonic() + self._timeout_ms / 1_000
        while (left_s := deadline - time.monotonic()) > 0:
            records = self._poll(self._reader(), place, offset, min(left_s, PATIENCE_S))
            if records:
                return records[0].offset, list(_decoded(records))
            self._let_go()
        raise StoreTimeout(f"kafka: nothing of {place.topic}/{place.partition} from {offset} on came in time")

    def _poll(self, consumer: Any, place: TopicPartition, offset: int, seconds: float) -> Sequence[Any]:
        """Some records from `offset` on; none if they do not come in so many seconds."""
        deadline = time.monotonic() + seconds
        consumer.seek(place, offset)
        consumer.resume(place)
        try:
            while (left_s := deadline - time.monotonic()) > 0:
                records: Sequence[Any] = consumer.poll(timeout_ms=round(left_s * 1_000)).get(place) or ()
                if records:
                    return records
        finally:
            consumer.pause(place)
        return ()

    def _let_go(self) -> None:
        """One that brings nothing of what is there never does again (seen under load, until the process ended): the next one does."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False)

    def _bounds(self, places: list[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        consumer = self._reader()
        firsts = consumer.beginning_offsets(places, timeout_ms=self._timeout_ms)
        ends = consumer.end_offsets(places, timeout_ms=self._timeout_ms)
        return {place: (firsts[place], ends[place]) for place in places}

    def _drop(self, before: dict[TopicPartition, int]) -> None:
        self._ruler().delete_records(before, timeout_ms=self._timeout_ms)

    def _tell(self, group: str, offsets: dict[TopicPartition, int]) -> None:
        told = self._ruler().alter_group_offsets(group, {place: OffsetAndMetadata(at, "", -1) for place, at in offsets.items()})
        for error in told.values():  # as while a new broker makes its topic of places
            if error is not NoError:
                raise error


def _decoded(records: Sequence[Any]) -> Iterable[Event]:
    """Those before the first that cannot be read; its error where it is the first of all."""
    for at, record in enumerate(records):
        try:
            yield decode(record.value)
        except msgspec.DecodeError as error:
            if at:
                return
            what = f"kafka: {record.topic}/{record.partition} holds at {record.offset} what cannot be read: {error}"
            raise StoreCorrupt(what, meaning="it is damaged, or a newer build wrote it") from error

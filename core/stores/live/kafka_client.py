"""How Kafka is reached: the driver's settings for one store's access, and its errors in our words."""

from __future__ import annotations

import logging
from typing import Any

from kafka import errors

from ...errors import StoreDown, StoreError, StoreFull, StoreTimeout, TwitError
from .config import Access
from .reach import kafka_security

TIMEOUT_MS = 5_000  # of what is done once, at the start
RECONNECT_MAX_MS = 500  # how soon a broker that came back is found
FETCH_WAIT_MS = 500  # a broker answers at once where there is something
logging.getLogger("kafka").setLevel(logging.CRITICAL)  # it tells of every attempt to reach a broker; what matters is raised

_FULL = (errors.KafkaStorageError,)


def options(access: Access, timeout_ms: int) -> dict[str, Any]:
    """Of any client."""
    return {
        "bootstrap_servers": list(access.addresses), "request_timeout_ms": timeout_ms, "bootstrap_timeout_ms": timeout_ms,
        "reconnect_backoff_ms": 50, "reconnect_backoff_max_ms": RECONNECT_MAX_MS, **kafka_security(access),
    }  # fmt: skip


def consumer_options(access: Access, timeout_ms: int) -> dict[str, Any]:
    """Of one that reads by partition and offset. Kafka keeps no place for it, and gives out no partitions."""
    return options(access, max(timeout_ms, FETCH_WAIT_MS + 1)) | {
        "enable_auto_commit": False, "auto_offset_reset": "earliest", "fetch_max_wait_ms": FETCH_WAIT_MS,
        "allow_auto_create_topics": False, "metrics_enabled": False,
    }  # fmt: skip


def translated(error: BaseException) -> StoreError | None:
    """Ours for the driver's; `None` for what is no fault of a server."""
    if isinstance(error, TwitError):
        return error if isinstance(error, StoreError) else None
    if isinstance(error, _FULL):
        return StoreFull(f"kafka: {error}")
    if isinstance(error, errors.KafkaTimeoutError):
        return StoreTimeout(f"kafka: {error}")
    if isinstance(error, errors.KafkaError | OSError) and not isinstance(error, errors.KafkaConfigurationError):
        return StoreDown(f"kafka: {type(error).__name__}: {error}", try_="twit context check")
    return None

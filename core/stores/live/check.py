"""What operators ask of all live stores at once: make their schemas, and say of each how it is and what to do.

Each store's own module has `init(config)` and `check(config)`; this is only their order and their outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module

import msgspec

from ...errors import StoreDown, StoreError, StoreTimeout, TwitError
from ...limits import Limits
from . import reach
from .config import LiveConfig

STORES = {"mysql": ".mysql", "cassandra": ".cassandra", "redis": ".redis", "kafka": ".kafka"}  # name → its module, in order of init
INIT_TIMEOUT_S = 120.0  # a schema change waits for every node of a cluster
OK = "ok"


class StoreHealth(msgspec.Struct, frozen=True):
    """`status` is "ok" or what is wrong; `code` that of the error, "" for none; in `try_` NAME stands for the context."""

    store: str
    status: str
    code: str = ""
    try_: str = ""


async def init_stores(config: LiveConfig, limits: Limits) -> dict[str, str]:
    """Bring each schema to this version, one store after the other; store → what was done. Again is harmless.

    Raises what a store raises: `StoreDown` and the like, `StoreCorrupt` for a schema that is newer than this version.
    """
    done: dict[str, str] = {}
    for store in STORES:
        await _reached(store, config, limits)
        try:
            async with asyncio.timeout(INIT_TIMEOUT_S):
                done[store] = await _own(store, "init")(config) or "schema is of this version"
        except TimeoutError as error:
            raise StoreTimeout(f"{store}: its schema was not made within {INIT_TIMEOUT_S:g} s", try_="the same command again") from error
    return done


async def check_stores(config: LiveConfig, limits: Limits) -> list[StoreHealth]:
    """Ask all at once. Never raises for a store that is not well."""
    return await asyncio.gather(*(_checked(store, config, limits) for store in STORES))


async def _checked(store: str, config: LiveConfig, limits: Limits) -> StoreHealth:
    try:
        await _reached(store, config, limits)
        async with asyncio.timeout(limits.store_timeout_ms / 1_000):
            said = await _own(store, "check")(config)
    except TimeoutError:
        return StoreHealth(store, f"no answer within {limits.store_timeout_ms} ms", StoreTimeout.code, "ask again")
    except StoreError as error:
        return StoreHealth(store, str(error), error.code, _to_do(error))
    return StoreHealth(store, said) if said.startswith(OK) else StoreHealth(store, said, "UNFIT", "twit context init NAME")


async def _reached(store: str, config: LiveConfig, limits: Limits) -> None:
    """Raises `StoreDown` where the server is not there or does not let us in."""
    timeout_s = limits.store_timeout_ms / 1_000
    ask: dict[str, Callable[[], str]] = {
        "redis": lambda: reach.reach_redis(config.redis, timeout_s),
        "mysql": lambda: reach.reach_mysql(config.mysql, timeout_s),
        "cassandra": lambda: reach.reach_cassandra(config.cassandra, timeout_s, config.local_datacenter),
        "kafka": lambda: reach.reach_kafka(config.kafka, timeout_s),
    }
    try:
        async with asyncio.timeout(timeout_s * 2):  # connecting, then asking
            wrong = await asyncio.to_thread(ask[store])
    except TimeoutError as error:
        raise StoreTimeout(f"{store}: no answer within {timeout_s:g} s") from error
    except OSError as error:  # a file of certificates that is not there, a name that resolves to nothing
        raise StoreDown(f"{store}: {error}") from error
    if wrong:
        raise StoreDown(f"{store}: {wrong}", try_="is it started, at that address, with that user? docs/live.md")


def _own(store: str, function: str) -> Callable[[LiveConfig], Awaitable[str]]:
    found: Callable[[LiveConfig], Awaitable[str]] = getattr(import_module(STORES[store], __package__), function)
    return found


def _to_do(error: TwitError) -> str:
    return error.try_ or "twit context init NAME"

"""Opening the keyspace of a context: the connection, the prepared statements, and the two ports over them."""

from __future__ import annotations

from ...clock import Clock
from ...errors import TwitError
from ...limits import Limits
from . import (
    cassandra_counts,
    cassandra_delete,
    cassandra_likes,
    cassandra_lists,
    cassandra_outbox,
    cassandra_reservations,
    cassandra_rows,
)
from .bridge import Bridge
from .cassandra_buckets import Stamps
from .cassandra_claims import Claims
from .cassandra_counts import Counts
from .cassandra_delete import Deleting
from .cassandra_driver import CONNECT_TIMEOUT_S, Driver, keyspace_of, translate
from .cassandra_likes import Liking
from .cassandra_lists import Lists
from .cassandra_mend import Mending
from .cassandra_outbox import CassandraOutbox
from .cassandra_put import Putting
from .cassandra_reservations import Reservations
from .cassandra_schema import check_version
from .cassandra_session import CassandraSession
from .cassandra_tweets import CassandraEngagement, CassandraTweets
from .config import LiveConfig
from .outbox import Outbox

CHECK = "SELECT release_version FROM system.local"
STATEMENTS = {"check": CHECK} | {
    name: text
    for module in (
        cassandra_counts, cassandra_delete, cassandra_likes, cassandra_lists, cassandra_outbox, cassandra_reservations, cassandra_rows,
    )
    for name, text in module.STATEMENTS.items()
}  # fmt: skip


def connect(config: LiveConfig, limits: Limits) -> Driver:
    """A driver at work in the context's keyspace, its statements prepared. Blocks; raises `StoreCorrupt` for another schema."""
    driver = Driver(config, limits.store_timeout_ms)
    try:
        keyspace = keyspace_of(config)
        check_version(driver, keyspace)
        driver.use(keyspace)
        driver.prepare(STATEMENTS)
    except BaseException:
        driver.close()
        raise
    return driver


class Cassandra:
    """Both ports, their outbox, and what `Health` asks. `session.statements` counts what is sent."""

    def __init__(self, driver: Driver, limits: Limits, clock: Clock, outbox: Outbox) -> None:
        self.session = session = CassandraSession(driver, limits.store_timeout_ms)
        stamps = Stamps(clock)
        claims = Claims(clock, stamps, limits.store_timeout_ms)
        lists = Lists(session)
        counts = Counts(session, lists)
        reservations = Reservations(session, claims)
        self.outbox = CassandraOutbox(session, clock, stamps, outbox, Mending(session, counts))
        putting = Putting(session, lists, counts, self.outbox, claims=claims, reservations=reservations)
        deleting = Deleting(session, counts, self.outbox, claims)
        self.tweets = CassandraTweets(
            session, lists, counts, putting=putting, deleting=deleting, reservations=reservations
        )  # fmt: skip
        self.engagement = CassandraEngagement(session, lists, counts, Liking(session, lists, counts, self.outbox, claims))

    async def check(self) -> str:
        """What is wrong, or "ok"; never raises."""
        try:
            async with self.session.bounded():
                await self.session.read("check", ())
        except TwitError as error:
            return str(error)
        return "ok"

    async def close(self) -> None:
        """Let go of the connections, once nothing is under way. More than once is harmless."""
        await self.session.drain()
        bridge = Bridge("cassandra-close", 1, round(CONNECT_TIMEOUT_S * 1_000), translate)
        try:
            await bridge.run(self.session.driver.close)
        finally:
            bridge.close()


async def open_cassandra(config: LiveConfig, limits: Limits, clock: Clock, outbox: Outbox) -> Cassandra:
    """Connect, refuse another schema with what to run, and let the outbox be swept."""
    bridge = Bridge("cassandra-open", 1, round(2 * CONNECT_TIMEOUT_S * 1_000), translate)
    try:
        driver = await bridge.run(connect, config, limits)
    finally:
        bridge.close()
    opened = Cassandra(driver, limits, clock, outbox)
    await opened.outbox.open()
    return opened

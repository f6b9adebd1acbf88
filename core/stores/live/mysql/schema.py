"""The tables of every server, made by versioned steps, and the shard map beside them.

Every table leads with `shard`, so that a shard is one range of each (docs/decisions/0012). Steps are repeatable and are run
by `init` alone: opening refuses a schema that is missing, older or newer, and says what to run.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from functools import partial
from typing import Any

import msgspec
import pymysql

from ....errors import StoreCorrupt, StoreDown, StoreTimeout, TwitError
from ..config import LiveConfig
from . import errors
from .server import Server, Session
from .shards import ShardMap, even_map, together

TIMEOUT_MS = 60_000  # of one server's whole migration
LOCK_WAIT_S = 30  # for another process that migrates

_META = (
    "CREATE TABLE IF NOT EXISTS schema_version (one TINYINT PRIMARY KEY, version INT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS shard_map (one TINYINT PRIMARY KEY, epoch BIGINT NOT NULL, map TEXT NOT NULL)",
)

_ACCOUNTS = (
    """CREATE TABLE IF NOT EXISTS users (shard SMALLINT UNSIGNED, user_id BIGINT, password_hash VARCHAR(255) NOT NULL,
    profile BLOB NOT NULL, deactivated_ms BIGINT, PRIMARY KEY (shard, user_id), KEY away (deactivated_ms))""",
    """CREATE TABLE IF NOT EXISTS user_counts (shard SMALLINT UNSIGNED, user_id BIGINT, followers BIGINT NOT NULL DEFAULT 0,
    following INT NOT NULL DEFAULT 0, last_slot BIGINT NOT NULL DEFAULT 0, last_follow BIGINT NOT NULL DEFAULT 0,
    last_relation BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (shard, user_id))""",
    """CREATE TABLE IF NOT EXISTS directory (shard SMALLINT UNSIGNED, kind TINYINT, name VARBINARY(1020),
    user_id BIGINT NOT NULL, claim BIGINT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (shard, kind, name),
    KEY pending (claim))""",
    """CREATE TABLE IF NOT EXISTS claims (shard SMALLINT UNSIGNED, claim BIGINT, done TINYINT NOT NULL,
    at_ms BIGINT NOT NULL, PRIMARY KEY (shard, claim), KEY age (at_ms))""",
    """CREATE TABLE IF NOT EXISTS id_grants (shard SMALLINT UNSIGNED, claim BIGINT, first BIGINT, many BIGINT NOT NULL,
    at_ms BIGINT NOT NULL, PRIMARY KEY (shard, claim, first))""",
    "CREATE TABLE IF NOT EXISTS free_ids (shard SMALLINT UNSIGNED, user_id BIGINT, PRIMARY KEY (shard, user_id))",
    """CREATE TABLE IF NOT EXISTS sequences (shard SMALLINT UNSIGNED, name VARBINARY(32), last BIGINT NOT NULL,
    PRIMARY KEY (shard, name))""",
    """CREATE TABLE IF NOT EXISTS sessions (shard SMALLINT UNSIGNED, user_id BIGINT, token_hash VARBINARY(64),
    created_ms BIGINT NOT NULL, PRIMARY KEY (shard, user_id, token_hash))""",
    """CREATE TABLE IF NOT EXISTS token_directory (shard SMALLINT UNSIGNED, token_hash VARBINARY(64),
    user_id BIGINT NOT NULL, PRIMARY KEY (shard, token_hash))""",
)

_SOCIAL = (
    """CREATE TABLE IF NOT EXISTS following (shard SMALLINT UNSIGNED, follower BIGINT, sequence BIGINT,
    followee BIGINT NOT NULL, flags TINYINT NOT NULL, created_ms BIGINT NOT NULL, PRIMARY KEY (shard, follower, sequence),
    UNIQUE KEY edge (shard, follower, followee))""",
    """CREATE TABLE IF NOT EXISTS followers (shard SMALLINT UNSIGNED, followee BIGINT, slot BIGINT, follower BIGINT NOT NULL,
    PRIMARY KEY (shard, followee, slot), UNIQUE KEY edge (shard, followee, follower))""",
    """CREATE TABLE IF NOT EXISTS relations (shard SMALLINT UNSIGNED, actor BIGINT, kind TINYINT, target BIGINT,
    sequence BIGINT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (shard, actor, kind, target),
    KEY page (shard, actor, kind, sequence))""",
    """CREATE TABLE IF NOT EXISTS blocked_by (shard SMALLINT UNSIGNED, target BIGINT, actor BIGINT, version BIGINT NOT NULL,
    stands TINYINT NOT NULL, PRIMARY KEY (shard, target, actor))""",
    """CREATE TABLE IF NOT EXISTS block_carries (shard SMALLINT UNSIGNED, actor BIGINT, target BIGINT, version BIGINT,
    stands TINYINT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (shard, actor, target, version))""",
    """CREATE TABLE IF NOT EXISTS follow_requests (shard SMALLINT UNSIGNED, request_id BIGINT, requester BIGINT NOT NULL,
    target BIGINT NOT NULL, retweets TINYINT NOT NULL, created_ms BIGINT NOT NULL, PRIMARY KEY (shard, request_id),
    UNIQUE KEY pair (shard, target, requester), KEY page (shard, target, request_id))""",
    """CREATE TABLE IF NOT EXISTS fanout_modes (shard SMALLINT UNSIGNED, author BIGINT, mode TINYINT NOT NULL,
    since_id BIGINT NOT NULL, PRIMARY KEY (shard, author), KEY pulled (mode))""",
)

_CONSUMERS = (
    """CREATE TABLE IF NOT EXISTS outbox (shard SMALLINT UNSIGNED, number BIGINT, writer INT UNSIGNED, payload BLOB NOT NULL,
    PRIMARY KEY (shard, number, writer), KEY oldest (number))""",
    """CREATE TABLE IF NOT EXISTS consumer_groups (shard SMALLINT UNSIGNED, name VARBINARY(200), place BIGINT NOT NULL,
    fence BIGINT NOT NULL DEFAULT 0, step BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (shard, name))""",
    """CREATE TABLE IF NOT EXISTS work (shard SMALLINT UNSIGNED, consumer_group VARBINARY(200), work_id BIGINT,
    created_ms BIGINT NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (shard, consumer_group, work_id))""",
    """CREATE TABLE IF NOT EXISTS deliveries (shard SMALLINT UNSIGNED, tweet BIGINT, batch INT, payload BLOB NOT NULL,
    PRIMARY KEY (shard, tweet, batch))""",
    """CREATE TABLE IF NOT EXISTS parked (shard SMALLINT UNSIGNED, parked_id BIGINT, consumer_group VARBINARY(200) NOT NULL,
    place BIGINT NOT NULL, payload BLOB NOT NULL, error TEXT NOT NULL, parked_ms BIGINT NOT NULL,
    PRIMARY KEY (shard, parked_id), UNIQUE KEY event (shard, consumer_group, place))""",
    """CREATE TABLE IF NOT EXISTS leases (shard SMALLINT UNSIGNED, name VARBINARY(200), fence BIGINT NOT NULL,
    holder VARBINARY(4000) NOT NULL, PRIMARY KEY (shard, name))""",
)

STEPS = ((*_ACCOUNTS, *_SOCIAL, *_CONSUMERS),)  # step n makes version n + 1; a step that was released is never changed
VERSION = len(STEPS)
_TABLE_OPTIONS = " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

_decode = msgspec.json.Decoder(ShardMap).decode

_MAP = "SELECT epoch, map FROM shard_map WHERE one = 1"


def servers_of(config: LiveConfig, timeout_ms: int) -> list[Server]:
    """One for each address, in order; nothing is connected yet."""
    return [Server(address, config.mysql, config.namespace, timeout_ms) for address in config.mysql.addresses]


async def init(config: LiveConfig) -> str:
    """Make databases, tables and the shard map where they are missing; returns what was found and done, for people to read.

    Raises `StoreCorrupt` where a newer build made the schema, `StoreDown` where a server is not there, the user may not, or
    the map names other servers than the configuration.
    """
    servers = servers_of(config, TIMEOUT_MS)
    wanted = even_map(config.mysql.addresses)
    try:
        done = await together([server.bridge.run(_migrate, server, wanted) for server in servers])
        await load_map(servers)
    finally:
        await together(server.close() for server in servers)
    return "; ".join(f"{server.name}: {what}" for server, what in zip(servers, done, strict=True))


async def load_map(servers: Iterable[Server]) -> ShardMap:
    """The map that all servers agree on, their schemas checked; every server goes by its epoch from here on.

    Raises `StoreDown` where something is missing, of an older version, or two servers disagree; `StoreCorrupt` where it is
    newer.
    """
    servers = list(servers)
    found = await together([server.read(partial(_checked, server.name)) for server in servers])
    first = found[0]
    for server, shard_map in zip(servers, found, strict=True):
        if shard_map != first:
            what = f"the shard map is of epoch {first.epoch} on {servers[0].name}, of {shard_map.epoch} on {server.name}"
            raise StoreDown(what, meaning="a move of shards is under way or was cut short", try_="finish it")
    if set(first.servers) != {server.name for server in servers}:
        what = f"the shard map of epoch {first.epoch} names {', '.join(first.servers)}"
        raise StoreDown(what, meaning="the configuration names other servers", try_="correct the addresses")
    for server in servers:
        server.epoch = first.epoch
    return first


async def publish(config: LiveConfig, shard_map: ShardMap) -> None:
    """Write a map of a higher epoch to every server: processes that go by an older one are refused from then on. Moves no
    rows."""
    servers = servers_of(config, TIMEOUT_MS)
    sql = "UPDATE shard_map SET epoch = %s, map = %s WHERE one = 1 AND epoch < %s"
    row = (shard_map.epoch, msgspec.json.encode(shard_map).decode(), shard_map.epoch)
    try:
        changed = await together([server.write(lambda session: session.run(sql, row)) for server in servers])
    finally:
        await together(server.close() for server in servers)
    if not all(changed):
        what = f"a server has a shard map of epoch {shard_map.epoch} or higher already"
        raise StoreDown(what, try_="read the newest map and raise its epoch")


def _checked(name: str, session: Session) -> ShardMap:
    try:
        row = session.row("SELECT version FROM schema_version WHERE one = 1")
        found = session.row(_MAP)
    except pymysql.MySQLError as error:
        if errors.code_of(error) not in errors.UNMADE:
            raise
        row = found = None
    version = int(row[0]) if row else 0
    if version > VERSION:
        raise _newer(name, version)
    if version < VERSION or found is None:
        what = f"{name}: schema version {version}, this build needs {VERSION}"
        raise StoreDown(what, meaning="the schema is missing or of an older build", try_=errors.INIT)
    try:
        return _decode(found[1])
    except msgspec.DecodeError as error:
        what = f"{name}: the shard map cannot be read: {error}"
        raise StoreCorrupt(what, try_="restore it from another server") from error


def _migrate(server: Server, wanted: ShardMap) -> str:
    lock = f"twit init {server.database}"[:64]
    with closing(_making(server)) as connection:
        session = Session(connection)
        if session.row("SELECT GET_LOCK(%s, %s)", (lock, LOCK_WAIT_S)) != (1,):
            what = f"{server.name}: another process makes the schema"
            raise StoreTimeout(what, try_="repeat when it is done")
        for statement in _META:
            session.run(statement + _TABLE_OPTIONS)
        row = session.row("SELECT version FROM schema_version WHERE one = 1")
        version = int(row[0]) if row else 0
        if version > VERSION:
            raise _newer(server.name, version)
        for number, step in enumerate(STEPS[version:], version + 1):
            for statement in step:
                session.run(statement + (_TABLE_OPTIONS if statement.startswith("CREATE TABLE") else ""))
            session.run("REPLACE INTO schema_version VALUES (1, %s)", (number,))
        encoded = msgspec.json.encode(wanted).decode()
        made = session.run("INSERT IGNORE INTO shard_map VALUES (1, %s, %s)", (wanted.epoch, encoded))
    done = f"schema version {VERSION}" + (" was there" if version == VERSION else f" made from version {version}")
    return done + (", shard map written" if made else "")


def _making(server: Server) -> Any:
    """A connection in the server's database, made where the user may."""
    connection = server.connect(autocommit=True, database="")
    try:
        try:
            connection.select_db(server.database)
        except pymysql.MySQLError as error:
            if errors.code_of(error) not in errors.UNMADE | errors.DENIED:
                raise
            options = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            connection.cursor().execute(f"CREATE DATABASE IF NOT EXISTS `{server.database}` {options}")
            connection.select_db(server.database)
    except BaseException:
        connection.close()
        raise
    return connection


def _newer(name: str, version: int) -> TwitError:
    what = f"{name}: schema version {version}; this build knows up to {VERSION}"
    return StoreCorrupt(what, meaning="a newer build made it", try_="run that build, or name another namespace")

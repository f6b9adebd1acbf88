"""The blocking part of Cassandra's driver: connecting, preparing, shutting down, and what its errors mean.

One `Driver` a process: its session holds the connections. Nothing here knows a table or an event loop; `cassandra_session.py`
runs statements. The driver takes half a second to import, so nothing may import this that a start of the CLI needs.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import cassandra as errors
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.connection import ConnectionException
from cassandra.policies import (
    ConstantSpeculativeExecutionPolicy,
    DCAwareRoundRobinPolicy,
    ExponentialReconnectionPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.protocol import ErrorMessage
from cassandra.query import PreparedStatement, tuple_factory

from ...errors import Invalid, StoreCorrupt, StoreDown, StoreError, StoreTimeout
from .config import LiveConfig

WRITE, READ, COUNTS = "write", "read", "counts"  # execution profiles
REQUEST_SHARE = 0.3  # of store_timeout_ms: one request; the rest is for waiting, and for a second try of what may be tried again
SPECULATE_AFTER_S = 0.1  # a read without an answer is asked of another replica
CONNECT_TIMEOUT_S = 10.0
RECONNECT_S = 0.25, 4.0  # a node that was away is tried again after this, doubled up to that
HEARTBEAT_S = 5.0  # a connection without an answer for this long is given up
INIT_HINT = "twit context init NAME"

_DOWN = (NoHostAvailable, errors.Unavailable, ConnectionException, errors.AuthenticationFailed, errors.UnresolvableContactPoints)
_BUSY = (0x1001, 0x1002)  # codes of the protocol: overloaded, starting
_CAS_UNKNOWN = 0x1700  # a Paxos round was accepted and not committed in time: it may still be
_TIMEOUT = (errors.OperationTimedOut, errors.Timeout, errors.CoordinationFailure)


def translate(error: BaseException) -> StoreError | None:
    """Ours for the driver's; `None` for what only a bug of ours can cause."""
    said = f"Cassandra: {error}"
    if isinstance(error, _DOWN):
        return StoreDown(said, try_="twit context check")
    if isinstance(error, _TIMEOUT):
        return StoreTimeout(said)
    if isinstance(error, errors.Unauthorized):
        return StoreError(said, meaning="the user of this context lacks a grant")
    if isinstance(error, errors.InvalidRequest) and ("unconfigured table" in str(error) or "keyspace" in str(error).lower()):
        return StoreCorrupt(said, meaning="the schema is not the one that this version works with", try_=INIT_HINT)
    if isinstance(error, ErrorMessage):  # what the driver has no class of its own for
        code = error.code
        return StoreDown(said) if code in _BUSY else StoreTimeout(said) if code == _CAS_UNKNOWN else StoreError(said)
    return StoreError(said) if isinstance(error, errors.RequestExecutionException) else None


def _endpoint(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise Invalid(f"Cassandra address {address!r} is not host:port", field="cassandra.addresses")
    return host.strip("[]"), int(port)


def keyspace_of(config: LiveConfig) -> str:
    """The namespace as a keyspace; raises `Invalid` where it cannot be one."""
    name = config.namespace
    if not (name.isascii() and name[:1].isalpha() and name.replace("_", "").isalnum() and name == name.lower() and len(name) <= 48):
        raise Invalid(f"{name!r} cannot be a keyspace: a-z, 0-9 and _, at most 48, from a letter on", field="namespace")
    return name


def _tls(ca_file: str) -> ssl.SSLContext:
    """Certificates must be signed by this authority and name the host."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Invalid(f"Cassandra: {ca_file}: {error}", field="cassandra.ca_file") from error


def _profiles(datacenter: str, request_timeout_s: float) -> dict[str, ExecutionProfile]:
    def profile(consistency: int, *, speculative: bool) -> ExecutionProfile:
        return ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=datacenter)),
            retry_policy=FallthroughRetryPolicy(),  # what may be tried again is known one floor up, where there is a budget for it
            consistency_level=consistency,
            serial_consistency_level=errors.ConsistencyLevel.LOCAL_SERIAL,
            request_timeout=request_timeout_s,
            row_factory=tuple_factory,
            speculative_execution_policy=ConstantSpeculativeExecutionPolicy(SPECULATE_AFTER_S, 1) if speculative else None,
        )

    quorum = errors.ConsistencyLevel.LOCAL_QUORUM
    return {
        WRITE: profile(quorum, speculative=False),
        READ: profile(quorum, speculative=True),
        COUNTS: profile(errors.ConsistencyLevel.LOCAL_ONE, speculative=True),
    }


class Driver:
    """Connected. Every method blocks: run it on a `Bridge`."""

    def __init__(self, config: LiveConfig, store_timeout_ms: int) -> None:
        access = config.cassandra
        endpoints = [_endpoint(address) for address in access.addresses]
        tls = _tls(access.ca_file) if access.ca_file else None
        self._cluster = Cluster(
            endpoints,
            port=endpoints[0][1],
            auth_provider=PlainTextAuthProvider(access.user, access.password) if access.user else None,
            ssl_context=tls,
            execution_profiles=_profiles(config.local_datacenter, store_timeout_ms / 1_000 * REQUEST_SHARE),
            reconnection_policy=ExponentialReconnectionPolicy(RECONNECT_S[0], RECONNECT_S[1]),
            idle_heartbeat_interval=HEARTBEAT_S,
            idle_heartbeat_timeout=HEARTBEAT_S,
            connect_timeout=CONNECT_TIMEOUT_S,
            control_connection_timeout=CONNECT_TIMEOUT_S,
            monitor_reporting_enabled=False,
        )
        try:
            self.session: Session = self._cluster.connect()
        except BaseException:
            self._cluster.shutdown()
            raise
        self.session.default_fetch_size = None  # every read is bounded by its own limit
        self.prepared: dict[str, PreparedStatement] = {}

    def use(self, keyspace: str) -> None:
        """Work in this keyspace from here on."""
        self.session.set_keyspace(keyspace)

    def prepare(self, statements: Mapping[str, str]) -> None:
        """Prepare what is not yet. Reads alone are marked idempotent: only they are asked of a second replica."""
        for name, text in statements.items():
            if name not in self.prepared:
                statement = self.session.prepare(text)
                statement.is_idempotent = text.lstrip().startswith("SELECT")
                self.prepared[name] = statement

    def define(self, statement: str, *, timeout_s: float = 30.0) -> list[Any]:
        """Run one statement of a migration, or a rare one of administration."""
        return list(self.session.execute(statement, timeout=timeout_s, execution_profile=WRITE))

    def close(self) -> None:
        """Let go of the connections. More than once is harmless."""
        self._cluster.shutdown()

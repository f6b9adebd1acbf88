"""What it takes to reach the servers of one live context. Built from settings by whoever opens it; holds no rules."""

from __future__ import annotations

import msgspec


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One store: where it is and how to be let in. An empty `user` or `password` means none; `ca_file` "" means no TLS."""

    addresses: tuple[str, ...]  # host:port; MySQL: host:port/database, one for each server of the shard map
    user: str = ""
    password: str = ""
    ca_file: str = ""


class LiveConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`namespace` keeps worlds on the same servers apart: key prefix, keyspace, database and topic names begin with it.

    `partitions` is of each topic, fixed once it was made: an entity's events stay in order only as long as its key stays
    in its partition.
    """

    redis: Access
    cassandra: Access
    mysql: Access
    kafka: Access
    namespace: str = "twit"
    partitions: int = 16
    replication: int = 1  # of keyspace and topics; production 3
    local_datacenter: str = "datacenter1"
    layout: str = "list"  # of cached timelines: "list" or "sorted-set"

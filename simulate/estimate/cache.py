"""§7.4, §8.1 and §8.2: what the timeline cache takes, on which nodes, and how it is kept."""

from __future__ import annotations

import math

from .inputs import LEAST, Inputs
from .row import Row, row
from .storage import tweet_bytes
from .text import amount
from .traffic import reads_s, tweets_s

ID_SEQUENCE = 4_096  # a millisecond's numbers in a time-ordered id


def cache_rows(given: Inputs) -> list[Row]:
    """The cache, its policy, the shards and the regions."""
    return [*_entries(given), *_encodings(given), *_policy(given), *_shards(given), *_redis(given), *_regions(given)]


def _payload(given: Inputs) -> float:
    return given.entries * 2 * given.id_bytes


def _entries(given: Inputs) -> list[Row]:
    one, user = 2 * given.id_bytes, _payload(given)
    total = user * given.daily_active
    sizes = {"entries": given.entries, "id_bytes": given.id_bytes}
    return [
        row(("7.4", "entries a timeline"), "input", given.entries, "", says="800", said=800, inputs={"entries": given.entries}),
        row(("7.4", "an entry"), "2 x id_bytes", one, "B", says="16 bytes", said=16, inputs={"id_bytes": given.id_bytes},
            omits=f"payload only: in a skiplist an entry takes {given.skiplist_bytes / given.entries:.0f} B, in a listpack up to "
                  f"{given.listpack_bytes / given.entries:.0f}, in a list up to {given.list_bytes / given.entries:.1f}"),
        row(("7.4", "a timeline"), "entries x an entry", user, "B", says="12.8 KB", said=12.8e3, inputs=sizes,
            omits=f"payload only; the sorted set of §6.3 takes {amount(given.skiplist_bytes, 'B')} as Redis makes it (skiplist)"),
        row(("7.4", "all timelines"), "a timeline x daily_active", total, "B", says="6.4 TB", said=6.4e12,
            inputs=sizes | {"daily_active": given.daily_active, "weekly_active": given.weekly_active},
            omits=f"payload only; and who was here within 7 days stays cached: weekly actives, {given.weekly_active / given.daily_active:.2g}x"),
    ]  # fmt: skip


def _encodings(given: Inputs) -> list[Row]:
    def sized(name: str, key: str, most: float) -> Row:
        least = min(LEAST.get(key, most), most)
        span = amount(most * given.daily_active, "B")
        if least < most:
            span = f"{amount(least * given.daily_active, 'B')} to {span}"
        week = amount(most * given.weekly_active, "B")
        return row(
            ("7.4", f"all timelines as {name}"), f"{key} x daily_active", most * given.daily_active, "B", says="6.4 TB", said=6.4e12,
            inputs={key: most, "daily_active": given.daily_active, "weekly_active": given.weekly_active},
            wrong=f"{span} for daily, up to {week} for weekly actives, before fragmentation and copies",
        )

    return [
        sized("sorted set, skiplist", "skiplist_bytes", given.skiplist_bytes),
        sized("sorted set, listpack", "listpack_bytes", given.listpack_bytes),
        sized("list", "list_bytes", given.list_bytes),
    ]


def _policy(given: Inputs) -> list[Row]:
    rebuilds = reads_s(given)
    return [
        row(("7.4", "what ends a cached timeline"), "§7.4, §8.3, §10.2", 3, "policies", says=">7 days; persistent",
            wrong="three policies for one cache: evicted after 7 days without a login (§7.4), persistent (§8.3), setex 3,600 s "
                  "(§10.2); and the GET of §10.2 on the sorted set of §6.3 is an error (WRONGTYPE)"),
        row(("7.4", "always cached"), "daily_active / weekly_active", given.daily_active / given.weekly_active, "%",
            says="last 24 h", inputs={"daily_active": given.daily_active, "weekly_active": given.weekly_active},
            omits="LRU keeps what was read last, it promises no 24 h: the cache must fit the week, or the promise is luck"),
        row(("7.4", "partition reads of warming"), "timeline reads x following", rebuilds * given.following, "/s",
            says="on login, top 800", peak=rebuilds * given.following * given.peak,
            inputs={"daily_active": given.daily_active, "reads_per_user": given.reads_per_user, "following": given.following},
            omits=f"no bound: after a loss of the cache every read misses and asks {given.following:g} followees"),
    ]  # fmt: skip


def _shards(given: Inputs) -> list[Row]:
    per_shard = given.monthly_active / given.mysql_shards
    rate = given.sign_ups_per_s / 1_000
    lonely = (1 - math.exp(-rate)) / rate  # share of ids that are the first of their millisecond, so end in zeros
    busiest = given.monthly_active * max(lonely, 1 / min(given.mysql_shards, ID_SEQUENCE))
    asked = tweets_s(given) * given.mysql_shards
    users = {"monthly_active": given.monthly_active, "mysql_shards": given.mysql_shards}
    return [
        row(("8.1", "MySQL shards"), "input", given.mysql_shards, "", says="256", said=256, inputs={"mysql_shards": given.mysql_shards}),
        row(("8.1", "users a shard"), "monthly_active / mysql_shards", per_shard, "users", says="~3M users", said=3e6, inputs=users,
            why="if user ids are even modulo 256: next row"),
        row(("8.1", "users on the fullest shard"), "monthly_active x P(first id of its ms)", busiest, "users",
            says="user_id % 256", inputs=users | {"sign_ups_per_s": given.sign_ups_per_s},
            omits=f"how user ids are made: with time-ordered ids the low bits are a sequence from 0, so {100 * lonely:.3g} % of users "
                  f"land on shard 0 at {given.sign_ups_per_s:g} sign-ups/s a node; dense ids are even"),
        row(("8.1", "shard queries to list followers"), "tweet writes x mysql_shards", asked, "/s", says="cross-shard",
            peak=asked * given.peak, inputs={"daily_active": given.daily_active, "mysql_shards": given.mysql_shards},
            omits="each fan-out asks every shard for a page of followers; a second table by followee asks one"),
        _cassandra(given),
    ]  # fmt: skip


def _cassandra(given: Inputs) -> Row:
    stored = given.daily_active * given.tweets_per_user * tweet_bytes(given) * 365 * given.years * given.replication
    inputs = {"replication": given.replication, "years": given.years, "cassandra_node_bytes": given.cassandra_node_bytes}
    return row(
        ("8.1", "Cassandra replication factor"), "input", given.replication, "", says="3", said=3, inputs=inputs,
        omits=f"§3.3 counts one copy: {amount(stored, 'B')} in all, {math.ceil(stored / given.cassandra_node_bytes):,} nodes at "
              f"{given.cassandra_node_bytes / 2**40:g} TiB, above the 192 a region at which Netflix stops",
    )  # fmt: skip


def redis_nodes(given: Inputs, timeline_bytes: float) -> int:
    """Whole nodes for everybody's timeline at the fill and with the copies of a region."""
    total = timeline_bytes * given.daily_active * given.redis_copies
    return math.ceil(total / given.redis_fill / given.redis_node_bytes * (1 - 1e-12))


def _redis(given: Inputs) -> list[Row]:
    have = given.redis_nodes * given.redis_node_bytes
    need = _payload(given) * given.daily_active
    payload, listed = redis_nodes(given, _payload(given)), redis_nodes(given, given.list_bytes)
    inputs = {
        "redis_nodes": given.redis_nodes, "redis_node_bytes": given.redis_node_bytes, "redis_fill": given.redis_fill,
        "redis_copies": given.redis_copies,
    }  # fmt: skip
    return [
        row(("8.1", "Redis nodes"), "timelines x copies / fill / node", payload, "nodes", says="100 nodes", said=100,
            inputs=inputs | {"daily_active": given.daily_active},
            wrong=f"{given.redis_nodes:g} are {100 * need / have:.3g} % full with no replica; at {100 * given.redis_fill:g} % fill with "
                  f"{given.redis_copies:g} copies {payload} nodes at {amount(_payload(given), 'B')} a timeline, {listed} at "
                  f"{amount(given.list_bytes, 'B')} (list), {redis_nodes(given, given.skiplist_bytes):,} as skiplists"),
        row(("8.1", "memory of a Redis node"), "input", given.redis_node_bytes, "B", says="64 GB", said=64e9, inputs=inputs,
            omits="one instance is one core: a node of 64 GB runs several of about 10 GB, or forks and failovers stall for seconds"),
        row(("8.1", "Redis memory in total"), "redis_nodes x redis_node_bytes", have, "B", says="6.4 TB", said=6.4e12, inputs=inputs,
            omits="nothing for celebrity lists, hot tweets, profiles and following sets (§6.3, §8.3), which live there too"),
    ]  # fmt: skip


def _regions(given: Inputs) -> list[Row]:
    total = _payload(given) * given.daily_active * given.regions
    return [
        row(("8.2", "timeline cache in all regions"), "timelines x regions", total, "B", says="6.4 TB", said=6.4e12,
            inputs={"regions": given.regions, "daily_active": given.daily_active, "entries": given.entries},
            wrong=f"one region's: replicated to {given.regions:g} it is {amount(total, 'B')}, "
                  f"{given.regions * redis_nodes(given, _payload(given)):,.0f} nodes at {100 * given.redis_fill:g} % fill with copies"),
    ]  # fmt: skip

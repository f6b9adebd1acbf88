"""Row 7: deliveries a second into timelines of a Redis Cluster of three primaries, all rules on, by one client process, beside a bare
function that appends and cuts in as many calls, and beside what redis-py does with a pipeline of two commands a reader.

Row 14 of the live world: what a full row takes there. Both need the servers of `make live`, so they run only where they are asked for:
`make bench ARGS="7 14-live"`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
from redis.cluster import ClusterNode, RedisCluster

from twit.core.limits import Limits
from twit.core.stores.live.redis import init, open_timelines
from twit.core.stores.live.redis_admin import RedisAdmin

from .figure import Figure

NOW = 1_750_000_000_000
SECONDS, ROUNDS, CALL = 0.3, 3, 128
FULL = 200  # readers with full rows; more would fill the servers
SIZES = (FULL, 10_000)
BARE = """#!lua name=twit_bench
redis.register_function{function_name='twit_bench_append', flags={'allow-cross-slot-keys'}, callback=function(_, args)
  for i = 2, #args do
    if redis.call('RPUSH', args[i], args[1]) > 832 then redis.call('LTRIM', args[i], -800, -1) end
  end
  return #args - 1
end}
"""


def run():
    return [figure for layout in ("list", "sorted-set") for figure in asyncio.run(measured(layout))]


run.long = True


def memory():
    return [asyncio.run(held(layout, bar)) for layout, bar in (("list", 1.25), ("sorted-set", 2.0))]


memory.long = True
ROWS = {"7 timelines in Redis": run, "14-live timelines in Redis": memory}


async def measured(layout: str) -> list[Figure]:
    sys.path.insert(0, str(Path(__file__).parent.parent / "live"))
    import parts  # says where the servers are

    config = msgspec.structs.replace(parts.config(f"bench-{layout}"), layout=layout)
    await init(config)
    admin, timelines = RedisAdmin(config.redis, 5_000), await open_timelines(config, Limits())
    host, _, port = config.redis.addresses[0].rpartition(":")
    plain = RedisCluster(startup_nodes=[ClusterNode(host, int(port))])
    plain.execute_command("FUNCTION LOAD", "REPLACE", BARE, target_nodes=RedisCluster.PRIMARIES)
    try:
        figures = []
        for size in SIZES:
            figures += await of_size(timelines, plain, layout, size)
        return figures
    finally:
        await timelines.close()
        plain.execute_command("FUNCTION DELETE", "twit_bench", target_nodes=RedisCluster.PRIMARIES)
        plain.close()
        await admin.empty(config.namespace)
        await admin.empty("bench-plain")
        admin.close()


async def held(layout: str, bar: float) -> Figure:
    """Memory of full rows as Redis counts it (`MEMORY USAGE`), key and header included."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "live"))
    import parts

    config = msgspec.structs.replace(parts.config(f"bench-{layout}"), layout=layout)
    await init(config)
    admin, timelines = RedisAdmin(config.redis, 5_000), await open_timelines(config, Limits())
    host, _, port = config.redis.addresses[0].rpartition(":")
    plain = RedisCluster(startup_nodes=[ClusterNode(host, int(port))])
    was = next(iter(plain.config_get("zset-max-listpack-entries", target_nodes=RedisCluster.PRIMARIES).values()))
    plain.config_set("zset-max-listpack-entries", 1_024, target_nodes=RedisCluster.PRIMARIES)  # as docs/live.md asks of that layout
    try:
        readers = np.arange(1, FULL + 1)
        await timelines.open_empty(readers, NOW)
        for number in range(800):  # one after the other, as they come
            await timelines.push(np.array([((1_000_000 + number) << 22, 0)]), readers, NOW)
        names = [name for name in plain.scan_iter(match=f"{config.namespace}:*", count=1_000) if int(plain.memory_usage(name, samples=0)) > 8_000]
        assert len(names) == FULL
        bytes_held = sum(int(plain.memory_usage(name, samples=0)) for name in names) / FULL
    finally:
        plain.config_set("zset-max-listpack-entries", was["zset-max-listpack-entries"], target_nodes=RedisCluster.PRIMARIES)
        await timelines.close()
        plain.close()
        await admin.empty(config.namespace)
        admin.close()
    what = f"{layout}: bytes of a cached timeline in Redis"
    return Figure(row="14", what=what, unit="bytes", against="16 B x 800", figures=[bytes_held], references=[12_800.0], bar=bar, at_least=False)


async def of_size(timelines, plain, layout: str, size: int) -> list[Figure]:
    readers = np.arange(1, size + 1)
    await timelines.open_empty(readers, NOW)
    if size == FULL:
        full = np.stack([np.arange(1_000_000, 1_000_800) << 22, np.zeros(800, np.int64)], axis=1)[::-1]
        await timelines.push(full, readers, NOW)
    names = [b"bench-plain-%b:%d" % (layout.encode(), reader) for reader in readers.tolist()]
    if size == FULL and layout != "list":  # the length of a sorted set is what a push costs
        for name in names:
            plain.zadd(name + b":z", {at.to_bytes(16, "big"): at >> 22 for at in full[:, 0].tolist()})
    nodes = defaultdict(list)
    for name in names:
        nodes[plain.get_node_from_key(name).name].append(name)
    tweets = iter(range((2_000_000 + size) << 22, 1 << 62, 1 << 22))
    ours, bare, piped = [], [], []
    for warm in range(ROUNDS + 1):
        found = await pushed(timelines, readers, tweets), by_function(plain, nodes, tweets), by_pipeline(plain, names, tweets, layout)
        for kept, figure in zip((ours, bare, piped), found, strict=True):
            if warm:
                kept.append(figure)
    what = f"{layout}: pushes to {size:,} readers"
    commands = "LPUSH and LTRIM" if layout == "list" else "ZADD and ZREMRANGEBYRANK"
    against = Figure(
        row="7", what=what, unit="/s", against=f"redis-py pipeline of {commands} a reader", figures=ours, references=piped, bar=4,
    )  # fmt: skip
    if layout != "list":
        return [against]
    append = Figure(row="7", what=what, unit="/s", against="bare function of RPUSH and LTRIM", figures=ours, references=bare, bar=0.6)
    return [append, against]


async def pushed(timelines, readers, tweets) -> float:
    started, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < SECONDS:
        outcomes = await timelines.push(np.array([(next(tweets), 0)]), readers, NOW)
        assert not outcomes.any()
        count += len(readers)
    return count / spent


def by_function(plain, nodes, tweets) -> float:
    started, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < SECONDS:
        entry = next(tweets).to_bytes(16, "big")
        for node, names in nodes.items():
            pipeline = plain.get_redis_connection(plain.get_node(node_name=node)).pipeline(transaction=False)
            for start in range(0, len(names), CALL):
                pipeline.execute_command("FCALL", "twit_bench_append", 0, entry, *names[start : start + CALL])
            pipeline.execute()
            count += len(names)
    return count / spent


def by_pipeline(plain, names, tweets, layout) -> float:
    started, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - started) < SECONDS:
        tweet = next(tweets)
        pipeline = plain.pipeline()
        for name in names:
            if layout == "list":
                pipeline.lpush(name, tweet.to_bytes(16, "big"))
                pipeline.ltrim(name, 0, 799)
            else:
                pipeline.zadd(name + b":z", {tweet.to_bytes(16, "big"): tweet >> 22})
                pipeline.zremrangebyrank(name + b":z", 0, -801)
        pipeline.execute()
        count += len(names)
    return count / spent

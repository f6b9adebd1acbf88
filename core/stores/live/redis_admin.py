"""Cold paths of Redis by redis-py, on threads: who holds which slots, the function library, emptying a namespace.

Never on the way of a push or a read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import redis
import redis.exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from ...errors import StoreCorrupt, StoreDown, StoreError, StoreFull, StoreTimeout
from .bridge import Bridge, down
from .config import Access
from .redis_slots import SLOTS

VERSION = 1
FAMILY = "twit_timelines_"
LIBRARY = f"{FAMILY}{VERSION}"
ADDRESS_S = 0.5  # for one address to answer; there are others
PAGE = 10_000
INIT = "twit context init NAME"


class Node(msgspec.Struct, frozen=True):
    """A primary: its address, its id in the cluster and the ids of its replicas."""

    node_id: str
    host: str
    port: int
    replicas: tuple[str, ...] = ()


class SlotMap(msgspec.Struct, frozen=True):
    """Who holds which slot: `owner[slot]` is an index into `nodes`, -1 for nobody."""

    nodes: tuple[Node, ...]
    owner: npt.NDArray[np.int16]


NOBODY = SlotMap((), np.full(SLOTS, -1, np.int16))


class RedisAdmin:
    """The cluster behind these addresses."""

    def __init__(self, access: Access, timeout_ms: int) -> None:
        self._access = access
        self._known = list(access.addresses)
        self._bridge = Bridge("redis", 2, timeout_ms, translated)

    async def slot_map(self) -> SlotMap:
        """Ask one node after the other. Raises `StoreDown` where none answers."""
        return await self._bridge.run(self._slot_map)

    async def load(self) -> int:
        """Put the library onto every primary; returns how many. Raises `StoreCorrupt` where a newer version is there."""
        return len(await self._bridge.run(self._each, self._load))

    async def check(self) -> int:
        """How many primaries there are. Raises `StoreCorrupt` unless each has our version of the library."""
        return len(await self._bridge.run(self._each, self._check))

    async def empty(self, namespace: str) -> int:
        """Delete every key of a namespace; returns how many."""
        return sum(await self._bridge.run(self._each, lambda client: self._empty(client, namespace)))

    def close(self) -> None:
        self._bridge.close()

    def _client(self, host: str, port: int) -> Any:
        access = self._access
        return redis.Redis(
            host=host, port=port, username=access.user or None, password=access.password or None,
            ssl=bool(access.ca_file), ssl_ca_certs=access.ca_file or None,
            socket_timeout=ADDRESS_S, socket_connect_timeout=ADDRESS_S, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip

    def _slot_map(self) -> SlotMap:
        last: Exception = redis.exceptions.ConnectionError("no address given")
        for address in list(self._known):
            host, _, port = address.rpartition(":")
            try:
                with self._client(host, int(port)) as client:
                    client.set_response_callback("CLUSTER SLOTS", lambda reply, **_: reply)
                    found = _parsed(client.execute_command("CLUSTER SLOTS"), host)
            except redis.exceptions.RedisError as error:
                last = error
                continue
            if found.nodes:
                self._remember(found, address)
                return found
        raise down("redis", last)

    def _remember(self, found: SlotMap, good: str) -> None:
        """Whoever answered is asked first the next time, then the primaries, then what was configured."""
        nodes = [f"{node.host}:{node.port}" for node in found.nodes]
        self._known = list(dict.fromkeys([good, *nodes, *self._access.addresses]))

    def _each(self, work: Any) -> list[Any]:
        answers = []
        for node in self._slot_map().nodes:
            with self._client(node.host, node.port) as client:
                answers.append(work(client))
        return answers

    def _load(self, client: Any) -> None:
        newest = max((version for version, _ in _versions(client)), default=0)
        if newest > VERSION:
            raise StoreCorrupt(
                f"redis has version {newest} of our functions; this build knows {VERSION}", try_="run the newer twit",
            )  # fmt: skip
        client.function_load(source(), replace=True)

    def _check(self, client: Any) -> None:
        if dict(_versions(client)).get(VERSION) != source():
            raise StoreCorrupt(f"redis has no functions {LIBRARY} like ours", try_=INIT)

    def _empty(self, client: Any, namespace: str) -> int:
        cursor, gone = 0, 0
        while True:
            cursor, keys = client.scan(cursor, match=f"{namespace}:*", count=PAGE)
            if keys:
                pipeline = client.pipeline(transaction=False)
                for key in keys:
                    pipeline.unlink(key)
                gone += sum(pipeline.execute())
            if cursor == 0:
                return gone


@cache
def source() -> str:
    """The library's text: its parts one after the other, as their numbers say."""
    found = sorted((one for one in files(__package__).iterdir() if one.name.endswith(".lua")), key=lambda one: one.name)
    return "".join(one.read_text(encoding="utf-8") for one in found)


def _versions(client: Any) -> list[tuple[int, str]]:
    """(version, text) of each of our libraries on this node."""
    found = []
    for library in client.function_list(f"{FAMILY}*", withcode=True):
        fields = library if isinstance(library, dict) else dict(zip(library[::2], library[1::2], strict=True))
        plain = {_text(key): value for key, value in fields.items()}
        found.append((int(_text(plain["library_name"]).removeprefix(FAMILY)), _text(plain["library_code"])))
    return found


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _parsed(reply: Sequence[Sequence[Any]], asked: str) -> SlotMap:
    """What CLUSTER SLOTS says. A node that does not know its own address leaves it empty: it is the one that was asked."""
    nodes: dict[str, Node] = {}
    owner = np.full(SLOTS, -1, np.int16)
    for start, end, primary, *replicas in reply:
        name = _text(primary[2])
        if name not in nodes:
            nodes[name] = Node(name, _text(primary[0] or b"") or asked, int(primary[1]), tuple(_text(one[2]) for one in replicas))
        owner[start : end + 1] = list(nodes).index(name)
    return SlotMap(tuple(nodes.values()), owner)


def translated(error: BaseException) -> StoreError | None:
    """What an error of redis-py is to us."""
    if isinstance(error, redis.exceptions.TimeoutError):
        return StoreTimeout(f"redis: {error}")
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return StoreFull(f"redis: {error}")
    if isinstance(error, (redis.exceptions.ConnectionError, redis.exceptions.AuthenticationError)):
        return down("redis", error)
    if isinstance(error, redis.exceptions.ResponseError):
        return StoreDown(f"redis: {error}", try_="twit context check")
    return None

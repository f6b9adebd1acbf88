"""One connection to one Redis node for the hot path: commands out, replies in, in order, any number under way.

Over asyncio's own transport and the hiredis parser. It knows no commands, no cluster and no retries: a broken connection fails
everything that waits on it with `Lost`, and is never used again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import hiredis

from ...errors import StoreDown, StoreTimeout
from .config import Access

if TYPE_CHECKING:
    from asyncio import Future, Transport

Command = Sequence[bytes | int | str]

WAITING_MAX = 4_096  # commands under way on one connection; past it they are refused at once
CONNECT_S = 1.0
NOTHING_YET = object()


class Lost(ConnectionError):
    """The connection went, or could not be made: whether what was sent was done is not known."""


class Wire(asyncio.Protocol):
    """Made by `connect`. `run_id` is the server process's own, new at each of its starts."""

    def __init__(self) -> None:
        self.run_id = b""
        self.kept = True  # all that it acknowledged is in its file, also if it was killed before; not if it was a replica then
        self.closed = False
        self._reader = hiredis.Reader(notEnoughData=NOTHING_YET)
        self._waiting: deque[Future[Any]] = deque()
        self._transport: Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport is a Transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not NOTHING_YET:
                waiting = self._waiting.popleft()
                if not waiting.done():
                    waiting.set_result(reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def send(self, commands: Sequence[Command]) -> list[Future[Any]]:
        """Send commands in one piece. Each future gives its reply, an instance of `hiredis.ReplyError` where that is an error; `Lost`
        is raised by it where none came. Raises `StoreTimeout` where too many wait."""
        loop = asyncio.get_running_loop()
        futures: list[Future[Any]] = [loop.create_future() for _ in commands]
        if self.closed or self._transport is None:
            for future in futures:
                future.set_exception(Lost("the connection is closed"))
            return futures
        if len(self._waiting) + len(futures) > WAITING_MAX:
            raise StoreTimeout(f"redis: {WAITING_MAX} commands wait already")
        self._waiting.extend(futures)
        pack: Callable[[tuple[Any, ...]], bytes] = hiredis.pack_command
        self._transport.write(b"".join([pack(tuple(command)) for command in commands]))
        return futures

    async def drained(self) -> None:
        """Wait until the transport takes more."""
        await self._writable.wait()

    def close(self) -> None:
        """Let go. More than once is harmless."""
        self._fail(None)

    def _fail(self, error: BaseException | None) -> None:
        self.closed = True
        self._writable.set()
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(Lost(str(error or "the connection was closed")))
                waiting.exception()  # who waited may have gone


async def connect(host: str, port: int, access: Access) -> Wire:
    """Connect, be let in, and learn which process it is. Raises `Lost`; `StoreDown` where the server will not let us in."""
    context = ssl.create_default_context(cafile=access.ca_file) if access.ca_file else None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            _, wire = await loop.create_connection(Wire, host, port, ssl=context)
            await _introduce(wire, access)
    except (OSError, TimeoutError) as error:
        raise Lost(f"{host}:{port}: {str(error) or 'no answer'}") from error
    return wire


async def _introduce(wire: Wire, access: Access) -> None:
    commands: list[Command] = [("INFO", "server"), ("INFO", "persistence"), ("INFO", "replication")]
    if access.password:
        commands.insert(0, ("AUTH", access.user, access.password) if access.user else ("AUTH", access.password))
    replies = [await future for future in wire.send(commands)]
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            wire.close()
            if str(reply).startswith("LOADING"):
                raise Lost(str(reply))
            raise StoreDown(f"redis: {reply}", try_="twit context check")
    server, persistence, replication = replies[-3:]
    wire.run_id = _field(server, b"run_id")
    former = _field(replication, b"master_replid2")  # zeros unless it was promoted
    wire.kept = _field(persistence, b"aof_enabled") == b"1" and not former.strip(b"0")


def _field(info: bytes, name: bytes) -> bytes:
    """A value of what INFO answers."""
    for line in info.splitlines():
        key, _, value = line.partition(b":")
        if key == name:
            return value
    return b""

"""The process that serves: our event loop, uvicorn's HTTP on it, the event consumers beside it, and a clean way out.

Why uvicorn: docs/decisions/0001-server.md. It is told nothing of signals, so that there is one way to stop: `readyz`
turns 503 and answers say `connection: close`, no connection is taken any more, what had been asked is answered, sockets
close, consumers reach a checkpoint.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import uvicorn

from ..clock import Clock
from ..entropy import Entropy
from ..errors import Conflict
from ..service import Twit
from ..workers import GROUPS
from .app import app_of, site_of
from .front import Asgi
from .site import Site

log = logging.getLogger(__name__)

BACKLOG = 2_048
KEEP_ALIVE_S = 75
QUIET_S = 0.05  # nothing new for so long: whoever was talking has been answered, and told that the connection closes
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """How to serve. `drain_s`: how long `readyz` says 503 before connections are closed, for a load balancer to notice."""

    host: str = "127.0.0.1"
    port: int = 8080
    groups: Sequence[str] = tuple(GROUPS)  # consumers of this process; empty: they run elsewhere
    rate_limits: bool = True
    front: bool = True
    drain_s: float = 0.0


async def serve(
    twit: Twit,
    serving: Serving,
    *,
    clock: Clock,
    entropy: Entropy,
    listening: Callable[[str, int], None] = lambda _host, _port: None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or `stop`, then drain. `listening` is told host and port once connections are taken.

    Raises `Conflict` where the address is taken, and whatever ends the consumers before they are asked to end.
    """
    stop = stop or asyncio.Event()
    site = site_of(twit, clock=clock, rate_limits=serving.rate_limits)
    with _bound(serving.host, serving.port) as listener, _stopping_on_signals(stop):
        consumers_stop = asyncio.Event()
        consumers = asyncio.create_task(_consume(twit, serving.groups, consumers_stop), name="consumers")
        site.consumers = lambda: _how_are(twit, consumers, serving.groups)
        consumers.add_done_callback(lambda _task: stop.set() if serving.groups else None)
        http = HttpServer(app_of(site, entropy, front=serving.front), twit.limits.request_deadline_ms)
        serving_task = asyncio.create_task(http.serve(sockets=[listener]), name="http")
        serving_task.add_done_callback(lambda _task: stop.set())
        try:
            listening(*listener.getsockname()[:2])
            await stop.wait()
            await _drained(site, http, serving_task, serving.drain_s)
        finally:
            http.should_exit = True
            try:
                await serving_task
            finally:
                consumers_stop.set()
                await consumers


class HttpServer(uvicorn.Server):
    """uvicorn's server as a guest on our loop."""

    def __init__(self, app: Asgi, deadline_ms: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=deadline_ms // 1_000 + 1,
            )
        )

    async def refuse(self) -> None:
        """Take what already waits to be taken, then close the listener: connections left in its queue would be reset."""
        await asyncio.sleep(QUIET_S)
        for server in self.servers:
            server.close()

    async def quiet(self, deadline_ms: int) -> None:
        """Return once nobody was answered and nobody came or went for a moment, at the deadline at the latest.

        uvicorn closes connections that look idle to it, and one whose request it has not read yet looks idle: it would be reset.
        """
        seen = None
        for _ in range(round(deadline_ms / 1_000 / QUIET_S)):
            now = self.server_state.total_requests, len(self.server_state.connections)
            if now == seen:
                return
            seen = now
            await asyncio.sleep(QUIET_S)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us."""
        yield


async def _drained(site: Site, http: HttpServer, serving_task: asyncio.Task[None], drain_s: float) -> None:
    site.draining = True
    log.info("draining: %d requests under way", len(site.in_flight))
    if drain_s and not serving_task.done():
        await site.clock.sleep(drain_s)
    if http.started and not serving_task.done():
        await http.refuse()
        await http.quiet(site.twit.limits.request_deadline_ms)
    http.should_exit = True
    await serving_task


async def _consume(twit: Twit, groups: Sequence[str], stop: asyncio.Event) -> None:
    if groups:
        await twit.workers.run(groups, stop)


def _how_are(twit: Twit, consumers: asyncio.Task[None], groups: Sequence[str]) -> dict[str, str]:
    """What each of this process's groups says; a group that ended says so whatever it said before."""
    states = twit.workers.states()
    return {group: "ended" if consumers.done() else states.get(group, "unknown") for group in groups}


@contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named: asyncio sets TCP_NODELAY only then
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            what = f"cannot listen on {host}:{port}: {error.strerror}"
            raise Conflict(what, code="ADDRESS_TAKEN", try_="another --port, or stop what listens there") from None
        listener.listen(BACKLOG)
        listener.settimeout(0)
        yield listener
    finally:
        listener.close()


@contextmanager
def _stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """The first signal drains; a second one kills, as if we had never asked for signals."""
    loop = asyncio.get_running_loop()

    def asked(_number: int) -> None:
        stop.set()
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    try:
        for number in SIGNALS:
            loop.add_signal_handler(number, asked, number)
    except (ValueError, RuntimeError):  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

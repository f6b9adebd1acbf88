"""The real servers of the live tests, installed and started natively on loopback; no containers.

From tests: `servers.kill("kafka")`, `servers.start("kafka")`, `servers.addresses()`. From a shell: `python -m tests.live.servers up`.
Needs nothing but the standard library. What it does for one set of servers never touches another's (see `place.py`).
"""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from signal import SIGKILL
from typing import Protocol

from . import install, process
from .cassandra_node import CassandraNode
from .kafka_broker import KafkaBroker
from .mariadb import MariaDb
from .place import BASE, HOST, SET, Trouble
from .redis_cluster import RedisCluster

__all__ = ["BASE", "SET", "Trouble", "addresses", "down", "kill", "start", "state", "stop", "up", "wipe"]
READY_S = 180.0


class Server(Protocol):
    """One server, of one or several processes. `launch` starts those of `only` that do not run; False where all did."""

    name: str
    commands: tuple[str, ...]
    stop_s: float

    def ports(self) -> list[int]: ...
    def processes(self) -> list[str]: ...
    def addresses(self) -> list[str]: ...
    def install(self) -> None: ...
    def launch(self, only: Sequence[str]) -> bool: ...
    def ready(self) -> bool: ...


SERVERS: dict[str, Server] = {one.name: one for one in (RedisCluster(), MariaDb(), CassandraNode(), KafkaBroker(), MariaDb(2))}
FETCHERS = {"java", "mvn"}  # commands that the servers which come as jars need
USUAL = ("cassandra", "kafka", "redis", "mariadb")  # the slowest first; mariadb-2 only where a test asks for it
Tell = Callable[[str], None]


def addresses() -> dict[str, list[str]]:
    """host:port of each usual server, whether it runs or not."""
    return {name: SERVERS[name].addresses() for name in USUAL}


def up(names: Iterable[str] = USUAL, tell: Tell = print) -> None:
    """Install what is missing, start what does not run, wait until all are ready. Raises `Trouble`."""
    wanted, began = [_server(name) for name in names], time.monotonic()
    commands = {command for one in wanted for command in one.commands}
    with install.locked(SET), ThreadPoolExecutor(max_workers=len(wanted) + 2) as pool:
        fetchers = pool.submit(_install, commands & FETCHERS, tell)  # first, so that jars come while apt does the rest
        rest = pool.submit(_install, commands - FETCHERS, tell, after=fetchers)
        futures = [pool.submit(_bring_up, one, fetchers if FETCHERS.issuperset(one.commands) else rest, tell) for one in wanted]
        for future in futures:
            future.result()
    tell(f"ready after {time.monotonic() - began:.1f} s: {', '.join(one.name for one in wanted)} in {SET}")


def start(name: str, tell: Tell = print) -> None:
    """Start a server, or one process of it (`redis-7101`), and wait until it is ready."""
    server, only = _found(name)
    began = time.monotonic()
    with install.locked(SET):
        _check_ports(server, only)
        server.launch(only)
        if len(only) == len(server.processes()):
            process.wait_for(server.name, server.ready, only, READY_S)
    tell(f"{name}: ready after {time.monotonic() - began:.1f} s")


def stop(name: str, tell: Tell = print) -> None:
    """End a server, or one process of it, by SIGTERM."""
    server, only = _found(name)
    began = time.monotonic()
    ended = process.end(only, patience_s=server.stop_s)
    tell(f"{name}: stopped in {time.monotonic() - began:.1f} s" if ended else f"{name}: did not run")


def kill(name: str, tell: Tell = print) -> None:
    """End a server, or one process of it, by SIGKILL: all at once, no goodbye."""
    _, only = _found(name)
    ended = process.end(only, SIGKILL)
    tell(f"{name}: killed" if ended else f"{name}: did not run")


def down(tell: Tell = print) -> None:
    """End all of them, all at once."""
    with ThreadPoolExecutor(max_workers=len(SERVERS)) as pool:
        for future in [pool.submit(stop, name, tell) for name in SERVERS if any(map(process.pid_of, SERVERS[name].processes()))]:
            future.result()


def wipe(tell: Tell = print) -> None:
    """End all of them and remove the data, keys and logs of this set; jars stay."""
    down(tell)
    shutil.rmtree(SET, ignore_errors=True)


def state() -> list[tuple[str, str, str, int]]:
    """(process, "ready" or "started" or "down", address, resident bytes) of each process of the usual servers."""
    rows = []
    for one in (SERVERS[name] for name in USUAL):
        ready = one.ready()
        for number, name in enumerate(one.processes()):
            pid = process.pid_of(name)
            what = "down" if pid is None else "ready" if ready else "started"
            rows.append((name, what, one.addresses()[number], process.resident_bytes(pid) if pid else 0))
    return rows


def _install(commands: Iterable[str], tell: Tell, after: Future[None] | None = None) -> None:
    lacking = install.missing(commands)
    if lacking and after is not None:
        after.result()
    began = time.monotonic()
    install.packages(lacking)
    if lacking:
        tell(f"apt: {' '.join(lacking)} in {time.monotonic() - began:.1f} s")


def _bring_up(server: Server, packages: Future[None], tell: Tell) -> None:
    packages.result()
    began = time.monotonic()
    server.install()
    installed = time.monotonic()
    _check_ports(server, server.processes())
    fresh = server.launch(server.processes())
    process.wait_for(server.name, server.ready, server.processes(), READY_S)
    how = "started" if fresh else "ran already"
    tell(f"{server.name}: {how}, ready after {time.monotonic() - installed:.1f} s (installed in {installed - began:.1f} s)")


def _check_ports(server: Server, only: Sequence[str]) -> None:
    """Another's server on our port would be taken for ours."""
    if any(process.pid_of(name) for name in only):
        return
    for at in server.ports() if len(only) == len(server.processes()) else ():
        with socket.socket() as probe:
            if probe.connect_ex((HOST, at)) == 0:
                raise Trouble(f"{server.name}: port {at} is taken by a process that is not of {SET}; choose another TWIT_LIVE_BASE than {BASE}")


def _server(name: str) -> Server:
    if name not in SERVERS:
        raise Trouble(f"no server named {name}: there are {', '.join(SERVERS)}")
    return SERVERS[name]


def _found(name: str) -> tuple[Server, list[str]]:
    for server in SERVERS.values():
        if name == server.name:
            return server, server.processes()
        if name in server.processes():
            return server, [name]
    return _server(name), []

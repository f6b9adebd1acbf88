"""Redis Cluster: three masters and three replicas, each with an append-only file, on six ports in a row."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .keys import ADMIN, keys
from .place import HOST, SECURE, Trouble, connected, folder, port, render
from .process import run, spawn, wait_for

NODES = 6
REPLICAS = 1  # of each master
ASK_TIMEOUT_S = 2.0


def ask(at: int, command: str) -> str:
    """The reply of one node to an inline command whose reply is one text; "" where it does not answer."""
    try:
        with connected(at, ASK_TIMEOUT_S) as connection, connection.makefile("rb") as replies:
            if SECURE:
                connection.sendall(f"AUTH {ADMIN}\r\n".encode())
                replies.readline()
            connection.sendall(f"{command}\r\n".encode())
            first = replies.readline().decode()
            return replies.read(int(first[1:])).decode() if first.startswith("$") else first
    except (OSError, ValueError):
        return ""


class RedisCluster:
    """Ready is: every node says that the cluster is well, sees all replicas, and each replica follows its master."""

    name = "redis"
    commands = ("redis-server",)
    stop_s = 10.0

    def ports(self) -> list[int]:
        return [port(101 + number) for number in range(NODES)]

    def processes(self) -> list[str]:
        return [f"redis-{at}" for at in self.ports()]

    def addresses(self) -> list[str]:
        return [f"{HOST}:{at}" for at in self.ports()]

    def install(self) -> None:
        """The Debian package is all."""

    def launch(self, only: Sequence[str]) -> bool:
        began = [self._spawn(at) for at in self.ports() if f"redis-{at}" in only]
        for at in self.ports():
            if f"redis-{at}" in only:
                wait_for(f"redis-{at}", lambda at=at: ask(at, "PING").startswith("+PONG"), [f"redis-{at}"], limit_s=20)
        if len(only) == NODES and self._known(self.ports()[0]) == 1:
            self._create()
        return any(began)

    def ready(self) -> bool:
        return all(self._well(at) for at in self.ports())

    def _spawn(self, at: int) -> bool:
        if at + 10_000 > 65_535:
            raise Trouble(f"the bus port of Redis is the port + 10000, and {at} + 10000 is none: take a TWIT_LIVE_BASE below 55000")
        where = folder("data", "redis", str(at))
        settings = render("redis.conf", where / "redis.conf", port=at, dir=where, keys=keys(), admin=ADMIN)
        return spawn(f"redis-{at}", ["redis-server", str(settings)], where)

    def _create(self) -> None:
        secure = ["--tls", "--cacert", str(keys() / "ca.pem"), "-a", ADMIN, "--no-auth-warning"] if SECURE else []
        create = ["redis-cli", *secure, "--cluster", "create", *self.addresses(), "--cluster-replicas", str(REPLICAS), "--cluster-yes"]
        run("redis-create", create)

    def _known(self, at: int) -> int:
        return int(re.findall(r"cluster_known_nodes:(\d+)", ask(at, "CLUSTER INFO"))[0])

    def _well(self, at: int) -> bool:
        if "cluster_state:ok" not in ask(at, "CLUSTER INFO"):
            return False
        replicas = [line for line in ask(at, "CLUSTER NODES").splitlines() if " slave " in f" {line.replace('myself,', ' ')}"]
        following = ask(at, "INFO replication")
        return (
            len([line for line in replicas if " connected" in line and ",fail" not in line]) == NODES * REPLICAS // (REPLICAS + 1)
            and ("role:master" in following or "master_link_status:up" in following)
        )  # fmt: skip

"""A Redis Cluster of one test's own: three primaries and three replicas on free ports from 7201 on, in a folder that goes with the test.

For what must never be done to servers that others use: killing, stopping, moving slots. Its servers end with the test's process,
however that ends.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import redis

BASES, NODES, BUS = range(7200, 7900, 10), 6, 10_000
CONF = """
bind 127.0.0.1
port {port}
dir {dir}
logfile log
save ""
appendonly yes
appendfsync everysec
auto-aof-rewrite-percentage 0
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout 1000
cluster-replica-validity-factor 0
cluster-require-full-coverage no
cluster-announce-ip 127.0.0.1
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-diskless-load swapdb
shutdown-timeout 0
"""


class OwnCluster:
    """`start` makes it anew; `stop` ends every process it started."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = {}
        base = next(base for base in BASES if all(free(base + at) and free(base + at + BUS) for at in range(1, NODES + 1)))
        self.ports = [base + at for at in range(1, NODES + 1)]

    @property
    def addresses(self):
        return tuple(f"127.0.0.1:{port}" for port in self.ports)

    def start(self):
        for port in self.ports:
            self.start_node(port)
        for port in self.processes:
            until(lambda port=port: answers(port), 10)
        subprocess.run(
            ["redis-cli", "--cluster", "create", *self.addresses, "--cluster-replicas", "1", "--cluster-yes"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        until(self.ready, 30)

    def start_node(self, port):
        where = self.folder / str(port)
        where.mkdir(exist_ok=True)
        (where / "redis.conf").write_text(CONF.format(port=port, dir=where))
        self.processes[port] = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "redis-server", str(where / "redis.conf")])

    def ready(self):
        for port in self.processes:
            info = client(port).info("replication")
            if client(port).cluster("info")["cluster_state"] != "ok":
                return False
            if info["role"] == "slave" and info["master_link_status"] != "up":
                return False
            known = client(port).cluster("nodes").values()
            if sum("slave" in node["flags"] and node["master_id"] != "-" for node in known) != NODES // 2:
                return False
        return sum(client(port).info("replication")["connected_slaves"] for port in self.processes) == NODES // 2

    def nodes(self):
        """By address what CLUSTER NODES says."""
        port = next(port for port, process in self.processes.items() if process.poll() is None and answers(port))
        return client(port).cluster("nodes")

    def signal(self, port, which):
        os.kill(self.processes[port].pid, which)
        if which == signal.SIGKILL:
            self.processes[port].wait()

    def replica_of(self, port):
        nodes = self.nodes()
        name = nodes[f"127.0.0.1:{port}"]["node_id"]
        return next(int(address.rpartition(":")[2]) for address, node in nodes.items() if node["master_id"] == name)

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in self.processes.values():
            process.wait()


def free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def client(port):
    return redis.Redis(port=port, socket_timeout=2, decode_responses=True)


def answers(port):
    try:
        return client(port).ping()
    except redis.RedisError:
        return False


def until(holds, limit_s):
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "not ready in time"
        time.sleep(0.05)

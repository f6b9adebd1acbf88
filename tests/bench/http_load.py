"""Runs the servers of the HTTP rows on core 0 and loads them from core 1: rates, tails and server CPU a request."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from . import load
from .http_world import Shape, build, home_requests, post_requests, token

CONNECTIONS = 64
LOADER_CORE = 1


class Server:
    """A server process and its port."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", f"{__package__}.http_server", *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            msg = f"{' '.join(arguments)} did not come up"
            raise RuntimeError(msg)
        self.url = f"http://127.0.0.1:{int(line)}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_s(self) -> float:
        """CPU seconds of all its threads so far, as the scheduler counts them."""
        return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{self.pid}/task").glob("*/schedstat")) / 1e9

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name) and not line.startswith("#"))

    def settle(self, seconds: float = 20) -> float:
        """Wait until no consumer is behind; returns how long that took."""
        began = time.perf_counter()
        while self.metric("twit_consumer_behind_events{"):
            if time.perf_counter() - began > seconds:
                msg = "the consumers stayed behind"
                raise RuntimeError(msg)
            time.sleep(0.01)
        return time.perf_counter() - began

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Setting:
    """A world, the requests to it, our server and the raw one."""

    def __init__(self, folder: Path, shape: Shape, stack: ExitStack, *, cold: bool = False) -> None:
        self.shape = shape
        build(folder / "data", shape)
        self.home = home_requests(folder / "home.jsonl", shape)
        self.post = post_requests(folder / "post.jsonl", shape)
        self.twit = Server("twit", str(folder / "data"), *(["--cold"] if cold else []))
        stack.callback(self.twit.stop)
        self.page_bytes = len(self._page())
        self.raw = Server("raw", str(self.home), "--page-bytes", str(self.page_bytes))
        stack.callback(self.raw.stop)

    def _page(self) -> bytes:
        request = urllib.request.Request(
            f"{self.twit.url}/api/v1/timeline/home", headers={"Authorization": f"Bearer {token(self.shape.some(self.shape.readers)[0])}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = bytes(answer.read())
        page = json.loads(body)
        assert len(page["tweets"]) == 50, len(page["tweets"])
        return body


@contextmanager
def setting(shape: Shape, *, cold: bool = False) -> Iterator[Setting]:
    with tempfile.TemporaryDirectory(prefix="twit-bench-", dir=Path.cwd()) as name, ExitStack() as stack:  # /tmp may be memory
        yield Setting(Path(name), shape, stack, cold=cold)


def begin(server: Server, requests: Path, *, seconds: float, warmup: float = 0.5, rate: float = 0, connections: int = CONNECTIONS,
          seed: int = 1) -> subprocess.Popen[str]:
    """Start loading a server."""
    command = [sys.executable, str(Path(load.__file__)), server.url, "--requests", str(requests), "--connections", str(connections),
               "--seconds", str(seconds), "--warmup", str(warmup), "--rate", str(rate), "--seed", str(seed)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, {LOADER_CORE})
    return process


def end(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What came of it; errors are not tolerated."""
    found: dict[str, Any] = load.finish(process)
    if found["errors"] or not found["requests"]:
        msg = f"errors under load: {found}"
        raise RuntimeError(msg)
    return found


def warm(server: Server, requests: Path, readers: int, seconds: float = 60) -> None:
    """Load until the process knows how each of `readers` sees the others, or nearly."""
    began = time.perf_counter()
    for lap in range(1_000):
        end(begin(server, requests, seconds=2, warmup=0, seed=lap))
        known = server.metric('twit_cache_entries{cache="viewers"}')
        if known >= 0.98 * readers or time.perf_counter() - began > seconds:
            return


def warm_posts(where: Setting) -> None:
    """A first round of tweets, delivered."""
    end(begin(where.twit, where.post, seconds=2, warmup=0))
    where.twit.settle()


class Loaded:
    """One closed-loop round: requests a second and the server's CPU µs for each."""

    def __init__(self, server: Server, requests: Path, *, seconds: float, warmup: float = 0.5, seed: int = 1) -> None:
        before = server.cpu_s()
        self.found = end(begin(server, requests, seconds=seconds, warmup=warmup, seed=seed))
        self.rate = float(self.found["rate"])
        share = float(self.found["seconds"]) / (float(self.found["seconds"]) + warmup)
        self.cpu_us = (server.cpu_s() - before) * share / float(self.found["requests"]) * 1e6

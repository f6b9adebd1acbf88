"""A load generator for HTTP/1.1 in a process of its own: N keep-alive connections, closed loop or open loop.

    python -m tests.bench.load http://127.0.0.1:8080 --requests requests.jsonl --connections 64 --seconds 5 [--rate 2000]

Closed loop (no --rate): every connection sends its next request when it has its answer. Open loop: requests are due at
random moments (Poisson, seeded) whatever the server does, and latency counts from the moment a request was due, so that a
stall is seen by all who would have come in it. It never sleeps but looks for answers all the time: on a virtual machine it costs a
server some 12 µs to wake who sleeps on another core, and of two servers the slower one, whose loader is idle more often, would pay more.
Each line of the requests file is
{"method", "path", "headers"?, "body"?}; they are sent in turn, over and over, from a seeded place on. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import selectors
import subprocess
import sys
import time
from array import array
from collections import deque
from pathlib import Path
from urllib.parse import urlsplit

PERCENTILES = (50, 90, 99, 99.9)


class Tally:
    """What came back inside the measured window."""

    def __init__(self) -> None:
        self.latencies_us = array("d")
        self.statuses: dict[int, int] = {}
        self.broken = 0
        self.bytes = 0
        self.on = False
        self.answered = 0  # outside the window too: what the server's CPU time went into

    def add(self, due: float, status: int, size: int) -> None:
        self.answered += 1
        if self.on:
            self.latencies_us.append((time.perf_counter() - due) * 1e6)
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.bytes += size

    def summary(self, seconds: float) -> dict[str, object]:
        ranked = sorted(self.latencies_us)
        count = len(ranked)
        at = {f"p{p:g}_ms": round(ranked[min(count - 1, int(count * p / 100))] / 1e3, 3) for p in PERCENTILES} if count else {}
        good = sum(n for status, n in self.statuses.items() if 200 <= status < 300)
        return {
            "requests": count, "answered": self.answered, "seconds": round(seconds, 3), "rate": round(count / seconds, 1),
            "good_rate": round(good / seconds, 1), "errors": count - good + self.broken, "broken": self.broken,
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())}, "bytes": self.bytes, **at,
            "mean_ms": round(sum(ranked) / count / 1e3, 3) if count else None,
            "max_ms": round(ranked[-1] / 1e3, 3) if count else None,
        }  # fmt: skip


class Source:
    """Which request comes next, and when it is due."""

    def __init__(self, requests: list[bytes], rate: float, seed: int) -> None:
        self._requests = requests
        self.rate = rate
        self._chance = random.Random(seed)
        self._next = self._chance.randrange(len(requests))  # so that another seed starts with others
        self._due = time.perf_counter()
        self.waiting: deque[float] = deque()  # open loop: due and not sent
        self.idle: list[Connection] = []
        self.stopped = False

    def take(self) -> bytes:
        request = self._requests[self._next]
        self._next = (self._next + 1) % len(self._requests)
        return request

    def more(self, connection: Connection) -> None:
        """The connection is free: closed loop sends at once, open loop what is due."""
        if self.stopped:
            return
        if not self.rate:
            connection.send(self.take(), time.perf_counter())
        elif self.waiting:
            connection.send(self.take(), self.waiting.popleft())
        else:
            self.idle.append(connection)

    async def arrive(self) -> None:
        """Open loop: let requests become due."""
        self._due = time.perf_counter()
        while not self.stopped:
            now = time.perf_counter()
            while self._due <= now:
                if self.idle:
                    self.idle.pop().send(self.take(), self._due)
                else:
                    self.waiting.append(self._due)
                self._due += self._chance.expovariate(self.rate)
            await asyncio.sleep(max(0.0, min(0.001, self._due - time.perf_counter())))


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request under way."""

    def __init__(self, source: Source, tally: Tally) -> None:
        self._source = source
        self._tally = tally
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._missing = -1  # bytes of the body still to come; -1: in the head
        self._size = 0
        self._status = 0
        self._due = 0.0
        self._closes = False
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._source.more(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._due and not self._source.stopped:
            self._tally.broken += 1
        if self in self._source.idle:
            self._source.idle.remove(self)
        if not self.lost.done():
            self.lost.set_result(None)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        assert self._transport is not None
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head, data, self._head = self._head[:end].lower(), self._head[end + 4 :], b""
            self._status = int(head[9:12])
            at = head.find(b"\r\ncontent-length:")
            self._size = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            self._closes = b"\r\nconnection: close" in head
            self._missing = self._size
        self._missing -= len(data)
        if self._missing <= 0:
            self._missing = -1
            due, self._due = self._due, 0.0
            self._tally.add(due, self._status, self._size)
            if self._closes and self._transport is not None:
                self._transport.close()
            else:
                self._source.more(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Sleepless(selectors.EpollSelector):
    """Looks and never waits."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(0)


def wire(host: str, request: dict[str, object]) -> bytes:
    """Return a request as bytes; a body that is no string is sent as JSON."""
    body = request.get("body")
    raw = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
    headers = {"Host": host, **(request.get("headers") or {})}  # type: ignore[dict-item]
    if body is not None:
        headers = {"Content-Type": "application/json", **headers, "Content-Length": str(len(raw))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{request.get('method', 'GET')} {request['path']} HTTP/1.1\r\n{lines}\r\n".encode() + raw


async def run(url: str, requests: list[dict[str, object]], *, connections: int, seconds: float, warmup: float, rate: float,
              seed: int = 1) -> dict[str, object]:
    """Load the server and return what it did in the measured window."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    source, tally = Source([wire(parts.netloc, request) for request in requests], rate, seed), Tally()
    loop = asyncio.get_running_loop()
    opened: list[Connection] = []

    async def keep_open() -> None:
        while not source.stopped:
            try:
                _, connection = await loop.create_connection(lambda: Connection(source, tally), host, port)
            except OSError:
                tally.broken += tally.on
                await asyncio.sleep(0.01)
                continue
            opened.append(connection)
            await connection.lost
            opened.remove(connection)

    keepers = [asyncio.create_task(keep_open()) for _ in range(connections)]
    arrivals = asyncio.create_task(source.arrive()) if rate else None
    await asyncio.sleep(warmup)
    tally.on, tally.broken = True, 0
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    tally.on = False
    took = time.perf_counter() - began
    source.stopped = True
    summary = tally.summary(took)
    summary["unsent"] = len(source.waiting)
    for connection in opened.copy():
        connection.close()
    for task in [*keepers, *([arrivals] if arrivals else [])]:
        task.cancel()
    await asyncio.gather(*keepers, *([arrivals] if arrivals else []), return_exceptions=True)
    return {"loop": "open" if rate else "closed", "offered_rate": rate or None, "connections": connections, **summary}


def start(url: str, requests_file: Path, *, connections: int = 64, seconds: float = 5, warmup: float = 1, rate: float = 0,
          seed: int = 1) -> subprocess.Popen[str]:
    """Start the generator in a process of its own; `finish` reads what it prints."""
    return subprocess.Popen(
        [sys.executable, __file__, url, "--requests", str(requests_file), "--connections", str(connections),
         "--seconds", str(seconds), "--warmup", str(warmup), "--rate", str(rate), "--seed", str(seed)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> dict[str, object]:
    """Wait for a generator and return its summary."""
    out, _ = process.communicate()
    if process.returncode:
        msg = f"the load generator ended with {process.returncode}"
        raise RuntimeError(msg)
    return dict(json.loads(out))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--requests", type=Path, required=True, help="JSON lines")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--rate", type=float, default=0, help="requests a second, open loop; 0: closed loop")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    requests = [json.loads(line) for line in given.requests.read_text().splitlines() if line.strip()]
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Sleepless())) as runner:
        summary = runner.run(run(
            given.url, requests, connections=given.connections, seconds=given.seconds, warmup=given.warmup,
            rate=given.rate, seed=given.seed,
        ))  # fmt: skip
    print(json.dumps(summary))


if __name__ == "__main__":
    main()

"""An open-loop load of GET requests for one server, in a process of its own: `python service_load.py PORT REQUESTS --rate …`.

Requests are due at random moments (Poisson, seeded) whatever the server does, and latency counts from the moment one was due.
It sleeps only where nothing is due; it knows nothing of the package it lies in. Prints one
line of JSON, and writes what each request met to a file: seconds since the start when it was due, seconds until its answer
was there whole, seconds until it was sent.
"""

from __future__ import annotations

import argparse
import json
import random
import select
import socket
import sys
import time
from array import array
from collections import deque
from pathlib import Path

HEAD_END = b"\r\n\r\n"
LOOK_S = 0.01  # at least so often, to see that it is over
LENGTH = b"\r\ncontent-length:"


class Line:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(0)
        self.due = self.sent = 0.0
        self._head = b""
        self._missing = -1  # bytes of the body still to come; -1: in the head
        self.status = 0

    def send(self, request: bytes, due: float) -> None:
        """Requests are far smaller than what a socket takes at once."""
        self.due, self.sent = due, time.perf_counter()
        self._missing, self._head = -1, b""
        if self.socket.send(request) != len(request):
            raise OSError("a request did not go out whole")

    def receive(self) -> bool:
        """Take what is there; whether the answer is whole."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return False
        if not data:
            raise OSError("the server closed a connection")
        if self._missing < 0:
            self._head += data
            end = self._head.find(HEAD_END)
            if end < 0:
                return False
            head, data = self._head[:end].lower(), self._head[end + 4 :]
            self.status = int(head[9:12])
            at = head.find(LENGTH)
            self._missing = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        self._missing -= len(data)
        return self._missing <= 0


class Load:
    """What is due, what is under way, what came back."""

    def __init__(self, port: int, requests: list[bytes], *, lines: int, rate: float, seed: int) -> None:
        self._requests, self._rate, self._chance = requests, rate, random.Random(seed)
        self._at = self._chance.randrange(len(requests))
        opened = [Line(port) for _ in range(lines)]
        self._by_number = {line.socket.fileno(): line for line in opened}
        self._idle, self._waiting = opened.copy(), deque[float]()
        self._poll = select.epoll()
        for number in self._by_number:
            self._poll.register(number, select.EPOLLIN)
        self.met, self.bad = array("d"), 0

    def run(self, seconds: float) -> float:
        """Load for so long, and then until all is answered or as long again has passed. Answers when it began."""
        began = due = time.perf_counter()
        due += self._chance.expovariate(self._rate)
        until, patience = began + seconds, began + 2 * seconds + 1
        while True:
            now = time.perf_counter()
            while due <= now and due < until:
                self._waiting.append(due)
                due += self._chance.expovariate(self._rate)
            while self._waiting and self._idle:
                self._idle.pop().send(self._next(), self._waiting.popleft())
            if due > now and not self._waiting:
                self._wait(min(due, until) - now)
            for number, _ in self._poll.poll(0):
                line = self._by_number[number]
                if line.receive():
                    self.met.extend((line.due - began, time.perf_counter() - line.due, line.sent - line.due))
                    self.bad += line.status != 200
                    self._idle.append(line)
            if (due >= until and len(self._idle) == len(self._by_number) and not self._waiting) or now > patience:
                return began

    def _wait(self, seconds: float) -> None:
        """Until an answer comes or something is due: `epoll` counts in whole milliseconds, `select` does not."""
        select.select((self._poll,), (), (), min(max(seconds, 0.0), LOOK_S))

    @property
    def unanswered(self) -> int:
        """What was due and has no answer."""
        return len(self._waiting) + len(self._by_number) - len(self._idle)

    def _next(self) -> bytes:
        self._at = (self._at + 1) % len(self._requests)
        return self._requests[self._at]


def main() -> None:
    """Load, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("requests", type=Path, help="requests as they go over the wire, one after a NUL")
    parser.add_argument("--rate", type=float, required=True, help="a second")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--lines", type=int, default=256, help="connections")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--met", type=Path, required=True, help="where float64 triples are written")
    given = parser.parse_args()
    requests = [one for one in given.requests.read_bytes().split(b"\0") if one]
    load = Load(given.port, requests, lines=given.lines, rate=given.rate, seed=given.seed)
    load.run(given.seconds)
    given.met.write_bytes(load.met.tobytes())
    sys.stdout.write(json.dumps({"answered": len(load.met) // 3, "bad": load.bad, "unanswered": load.unanswered}) + "\n")


if __name__ == "__main__":
    main()

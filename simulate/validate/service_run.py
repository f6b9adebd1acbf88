"""Rung 7's processes: `twit serve` on a free port of the loopback over a small world, and a load generator beside it.

On a machine of two cores or more each gets one of its own, and where that is allowed both go before everything else, with
something running on the server's core that keeps it awake while it has nothing to do: neighbours, sleep states and caches that
others have emptied are what no model of a service knows. How far that came about is told with the result.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ...core.clock import Clock
from ...core.errors import StoreDown
from . import service_load
from .service_model import Met
from .service_world import Shape, build_world, requests

PACKAGE = __name__.partition(".")[0]
SERVE = f"from {PACKAGE}.cli import main; main()"
AWAKE = "while True: pass"
FOREMOST = "-20"
# Each page is read and made afresh: a service that works for its answers, as one does whose people are many.
UNCACHED = {"TWIT_LIMITS_CACHED_FRAGMENTS_MAX": "1", "TWIT_LIMITS_CACHED_TWEETS_MAX": "1"}


class Service:
    """A running server and what it takes to load it."""

    def __init__(self, process: subprocess.Popen[str], port: int, folder: Path, cores: tuple[int, int] | None) -> None:
        self._process, self._port, self._folder, self._cores = process, port, folder, cores
        self._awake: subprocess.Popen[bytes] | None = None
        self.foremost = False

    def load(self, rate: float, seconds: float, seed: int) -> Met:
        """Load it, open loop, and say what the requests met. Raises `StoreDown` where answers were no pages."""
        met = self._folder / "met"
        command = [sys.executable, str(Path(service_load.__file__)), str(self._port), str(self._folder / "requests"),
                   "--rate", str(rate), "--seconds", str(seconds), "--seed", str(seed), "--met", str(met)]  # fmt: skip
        generator = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)  # noqa: S603 - our own
        if self._cores:
            _pin(generator.pid, self._cores[1])
        if self.foremost:
            _before_others(generator.pid)
        out, _ = generator.communicate(timeout=3 * seconds + 60)
        if generator.returncode or json.loads(out)["bad"]:
            raise StoreDown(f"the server did not answer the load: {out.strip() or generator.returncode}", try_="twit serve")
        table = np.fromfile(met).reshape(-1, 3)
        return Met(rate, table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy())

    def go_first(self) -> None:
        """Before everything else on its core, where that is allowed; and nothing on it sleeps."""
        self.foremost = self._cores is not None and _before_others(self._process.pid)
        if self.foremost and self._cores:
            self._awake = subprocess.Popen([sys.executable, "-c", AWAKE], start_new_session=True)  # noqa: S603 - our own
            _pin(self._awake.pid, self._cores[0])
            _weighty(self._awake.pid)

    def go_with_others(self) -> None:
        """As any process, though with more weight: what is always busy must not be held back by the bounds of real time."""
        if self._awake is not None:
            self._awake.kill()
            self._awake.wait()
            self._awake = None
        if self.foremost:
            for task in _tasks(self._process.pid):
                with contextlib.suppress(OSError):
                    os.sched_setscheduler(task, os.SCHED_OTHER, os.sched_param(0))
            _weighty(self._process.pid)

    def held_up_s(self) -> float:
        """Seconds in which the server could have run and something else did, so far: other processes, or the host."""
        stolen = _stolen_s(self._cores[0]) if self._cores else 0.0
        return stolen + sum(_held_up(self._process.pid, task) for task in _tasks(self._process.pid)) / 1e9

    def stop(self) -> None:
        """Stop what was started."""
        self.go_with_others()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def serving(clock: Clock, shape: Shape) -> Iterator[Service]:
    """A server over a world made for it, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="twit-rung7-", dir=Path.cwd() if os.access(Path.cwd(), os.W_OK) else None) as name:
        folder = Path(name)
        asyncio.run(build_world(folder / "data", clock, shape))
        (folder / "requests").write_bytes(requests(shape))
        allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        cores = (allowed[0], allowed[1]) if len(allowed) > 1 else None
        environment = os.environ | {"TWIT_DATA": str(folder / "data"), "TWIT_RATE_LIMITS": "off", "TWIT_CONTEXT": "local"} | UNCACHED
        service = _started(folder, environment, cores)
        try:
            yield service
        finally:
            service.stop()


def _started(folder: Path, environment: dict[str, str], cores: tuple[int, int] | None) -> Service:
    """The server, once it listens, on the first of its cores."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-c", SERVE, "serve", "--host", "127.0.0.1", "--port", "0", "-o", "json"],
            stdout=subprocess.PIPE, stderr=log, text=True, env=environment, start_new_session=True, cwd=folder,
        )  # fmt: skip
    try:
        port = _port(process.stdout, folder / "log")
    except BaseException:
        process.kill()
        raise
    if cores:
        for task in _tasks(process.pid):
            _pin(task, cores[0])
    return Service(process, port, folder, cores)


def _port(out: IO[str] | None, log: Path) -> int:
    """Where it listens, as it says itself."""
    said = ""
    while out is not None and (line := out.readline()):
        said += line
        if line.startswith("}"):
            return int(str(json.loads(said)["url"]).rpartition(":")[2])
    raise StoreDown(f"the server did not come up: {log.read_text(errors='replace')[-500:]}", try_="twit serve")


def _tasks(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
    return [pid]


def _held_up(pid: int, task: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[1])
    return 0


def _stolen_s(core: int) -> float:
    """What the host took from a core for others."""
    with contextlib.suppress(OSError, IndexError):
        line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
        return int(line.split()[8]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _pin(task: int, core: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setaffinity(task, {core})


def _before_others(pid: int) -> bool:
    """Real time for all threads of a process; whether that was allowed."""
    try:
        for task in _tasks(pid):
            os.sched_setscheduler(task, os.SCHED_FIFO, os.sched_param(5))
    except (OSError, AttributeError):
        return False
    return True


def _weighty(pid: int) -> None:
    """More weight than all others together, for a process in a session of its own."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(FOREMOST)

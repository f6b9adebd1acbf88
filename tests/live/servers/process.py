"""Processes that outlive whoever started them: started in a session of their own, known by a pid file, ended by pid alone.

A pid file holds the pid and the instant at which the system started that process, so that another process which got the same
pid later is never taken for ours. Nothing here ends a process by name.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .place import Trouble, folder, log_file

POLL_S = 0.05
LOG_LINES_SHOWN = 20
_started: dict[int, subprocess.Popen[bytes]] = {}  # children of this very process, which only it can reap


def _pid_file(name: str) -> Path:
    return folder("run") / f"{name}.pid"


def _began(pid: int) -> str | None:
    """When the system started it, in its own ticks; `None` where it does not run. A zombie does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def pid_of(name: str) -> int | None:
    """The pid of a process that we started and that runs."""
    try:
        pid, began = _pid_file(name).read_text().split()
    except (OSError, ValueError):
        return None
    if (child := _started.get(int(pid))) is not None:
        child.poll()
    return int(pid) if _began(int(pid)) == began else None


def resident_bytes(pid: int) -> int:
    """Memory of a process that lies in RAM; 0 where it has gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def spawn(name: str, command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None) -> bool:
    """Start it unless it runs. False where it ran already. The log of the time before stays beside as `.log.1`."""
    if pid_of(name) is not None:
        return False
    log = log_file(name)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    with log.open("wb") as out:
        child = subprocess.Popen(
            command, cwd=cwd, env=os.environ | dict(environment or {}), stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True,
        )
    _started[child.pid] = child
    _pid_file(name).write_text(f"{child.pid} {_began(child.pid)}\n")
    return True


def end(names: Sequence[str], sign: signal.Signals = signal.SIGTERM, patience_s: float = 60) -> list[str]:
    """Signal them all at once and wait until all are gone; SIGKILL after `patience_s`. Returns those that ran."""
    ran = {name: pid for name in names if (pid := pid_of(name)) is not None}
    for pid in ran.values():
        _signal(pid, sign)
    deadline = time.monotonic() + patience_s
    while any(pid_of(name) for name in ran) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for name in ran:
        if (late := pid_of(name)) is not None:
            _signal(late, signal.SIGKILL)
            wait_for(f"{name} to be gone", lambda name=name: pid_of(name) is None, (), limit_s=10)
        _pid_file(name).unlink(missing_ok=True)
    return list(ran)


def _signal(pid: int, sign: signal.Signals) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


def wait_for(what: str, ready: Callable[[], bool], alive: Sequence[str], limit_s: float) -> None:
    """Poll until `ready`. Raises `Trouble` with the end of the log where one of `alive` died, or when the time is up."""
    deadline = time.monotonic() + limit_s
    while not ready():
        for name in alive:
            if pid_of(name) is None:
                raise Trouble(f"{name} died while waiting for {what}; the end of {log_file(name)}:\n{tail(name)}")
        if time.monotonic() > deadline:
            ends = "".join(f"\nthe end of {log_file(name)}:\n{tail(name)}" for name in alive[:1])
            raise Trouble(f"waited {limit_s:g} s for {what} in vain{ends}")
        time.sleep(POLL_S)


def tail(name: str) -> str:
    """The last lines of a log."""
    lines = log_file(name).read_text(errors="replace").splitlines() if log_file(name).exists() else []
    return "\n".join(f"  {line}" for line in lines[-LOG_LINES_SHOWN:])


def run(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None, log: Path | None = None) -> None:
    """Run it to its end, its output into a log. Raises `Trouble` with the end of that log where it fails."""
    log = log or log_file(name)
    with log.open("wb") as out:
        done = subprocess.run(
            command, env=os.environ | dict(environment or {}), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise Trouble(f"{' '.join(command[:4])} … ended with {done.returncode}; the end of {log}:\n{tail(name)}")

"""Which HTTP server: rate at 64 connections, the tail when handlers cost CPU and more come than fit, and how it drains.

    python tests/bench/server_choice.py [--python PYTHON] [--rounds 3] [--seconds 3]

Every candidate runs in an asyncio loop of ours (consumers live beside it) and serves the same raw ASGI app on one core; the
generator has the other. Candidates that `--python` cannot import are left out. Prints one JSON object; docs/decisions/0001-server.md holds a run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

HERE = Path(__file__).resolve().parent
CANDIDATES = ("uvicorn", "uvicorn-uvloop", "granian-embedded")
PAGE = b"x" * 28_000
PAGE_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"28000")]


async def app(scope: dict[str, Any], _receive: object, send: Any) -> None:
    """/page: a constant page; /busy: the same after 0.5 ms of CPU; /slow: the same after 200 ms of waiting."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/busy":
        until = time.perf_counter() + 0.0005
        while time.perf_counter() < until:
            pass
    elif scope["path"] == "/slow":
        await asyncio.sleep(0.2)
    await send({"type": "http.response.start", "status": 200, "headers": PAGE_HEADERS})
    await send({"type": "http.response.body", "body": PAGE})


def serve_uvicorn(port: int, *, loop: str) -> None:
    import uvicorn

    uvicorn.run(app, port=port, http="httptools", loop=loop, ws="none", lifespan="off", log_config=None, access_log=False,
                timeout_graceful_shutdown=5)  # fmt: skip


def serve_granian_embedded(port: int) -> None:
    from granian.constants import Interfaces
    from granian.server.embed import Server

    async def main() -> None:
        server = Server(app, port=port, interface=Interfaces.ASGINL, websockets=False)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()

    asyncio.run(main())


def child(name: str, port: int) -> None:
    os.sched_setaffinity(0, {0})
    match name:
        case "uvicorn":
            serve_uvicorn(port, loop="asyncio")
        case "uvicorn-uvloop":
            serve_uvicorn(port, loop="uvloop")
        case _:
            serve_granian_embedded(port)


class Running:
    """A candidate in its process."""

    def __init__(self, python: str, name: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process = subprocess.Popen([python, __file__, "--child", name, "--port", str(self.port)], stdout=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
            except OSError:
                time.sleep(0.05)
            else:
                return self
        msg = "the server did not come up"
        raise RuntimeError(msg)

    def __exit__(self, *_: object) -> None:
        self.stop()

    def cpu_s(self) -> float:
        """CPU time that the process has used, all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> float:
        """SIGTERM; return the seconds until it was gone."""
        began = time.perf_counter()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return time.perf_counter() - began


def load(url: str, path: str, *, connections: int, seconds: float, folder: Path, rate: float = 0) -> dict[str, Any]:
    requests = folder / f"{path.strip('/')}.jsonl"
    requests.write_text(json.dumps({"path": path}) + "\n")
    command = [sys.executable, str(HERE / "load.py"), url, "--requests", str(requests), "--connections", str(connections),
               "--seconds", str(seconds), "--warmup", "0.7", "--rate", str(rate)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, {1 % (os.cpu_count() or 1)}))  # fmt: skip
    return dict(json.loads(done.stdout))


async def drained(running: Running, requests: int = 50) -> dict[str, Any]:
    """SIGTERM while `requests` slow ones are under way: how many got their whole answer, and how long it took."""
    whole = 0

    async def ask() -> None:
        nonlocal whole
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(len(PAGE))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
        whole += head.startswith(b"HTTP/1.1 200") and body == PAGE

    asking = [asyncio.create_task(ask()) for _ in range(requests)]
    await asyncio.sleep(0.1)
    took = await asyncio.to_thread(running.stop)
    await asyncio.gather(*asking)
    return {"whole": whole, "of": requests, "gone_after_s": round(took, 2)}


def measure(python: str, names: list[str], *, rounds: int, seconds: float) -> dict[str, Any]:
    """All candidates, interleaved, several rounds. `us_cpu` of an answer holds on a machine that others use too; rates do not."""
    found: dict[str, dict[str, list[Any]]] = {name: {} for name in names}
    with TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name in names:
                for figure, value in measured_once(python, name, seconds, Path(folder)).items():
                    found[name].setdefault(figure, []).append(value)
    return {name: {key: values if key == "drain" else {"median": statistics.median(values), "all": values}
                   for key, values in figures.items()} for name, figures in found.items()}  # fmt: skip


def measured_once(python: str, name: str, seconds: float, folder: Path) -> dict[str, Any]:
    """One round of one candidate."""
    figures: dict[str, Any] = {}
    with Running(python, name) as running:
        for key, path, connections in (("page", "/page", 64), ("busy", "/busy", 64), ("over", "/busy", 512)):
            before = running.cpu_s()
            seen = load(running.url, path, connections=connections, seconds=seconds, folder=folder)
            assert seen["errors"] == 0, (name, key, seen)
            figures |= {f"{key}_rate": seen["rate"], f"{key}_p99_ms": seen["p99_ms"]}
            figures[f"{key}_us_cpu"] = round((running.cpu_s() - before) / seen["answered"] * 1e6, 1)
    with Running(python, name) as running:
        figures["drain"] = asyncio.run(drained(running))
    return figures


def available(python: str) -> list[str]:
    """The candidates that this Python can import."""
    needs = {"uvicorn": "uvicorn", "uvicorn-uvloop": "uvloop", "granian-embedded": "granian"}
    probe = "import sys, importlib.util as u; sys.exit(u.find_spec(sys.argv[1]) is None)"
    return [name for name in CANDIDATES if subprocess.run([python, "-c", probe, needs[name]], check=False).returncode == 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has the candidates installed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--child", choices=CANDIDATES)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.port)
        return
    print(json.dumps(measure(given.python, available(given.python), rounds=given.rounds, seconds=given.seconds), indent=1))


if __name__ == "__main__":
    main()

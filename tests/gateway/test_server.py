"""The real server on a real socket: it serves, drains and goes."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import builders
import httpx
import pytest

from twit.core.errors import Conflict
from twit.core.gateway.server import Serving, serve

GARBAGE = (
    b"\x16\x03\x01\x02\x00",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /api/v1/tweets HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
)
SIGN_UP = {"username": "ann", "email": "ann@example.com", "password": "correct horse"}


@asynccontextmanager
async def served(twit, clock, **how):
    """A running server; yields a client and the event that stops it."""
    stop, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(
        twit, Serving(port=0, **how), clock=clock, entropy=builders.CountedEntropy(),
        listening=lambda host, port: listening.set_result(f"http://{host}:{port}"), stop=stop,
    ))  # fmt: skip
    await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        async with httpx.AsyncClient(base_url=listening.result(), timeout=20) as client:
            yield client, stop, task
    finally:
        stop.set()
        await task


async def until(condition):
    while not await condition():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("front", [True, False], ids=["front", "litestar"])
async def test_it_serves_and_its_consumers_deliver(twit, clock, front):
    async with served(twit, clock, front=front) as (client, _, _):
        people = [(await client.post("/api/v1/users", json={**SIGN_UP, "username": name, "email": f"{name}@example.com"})).json()
                  for name in ("ann", "bob")]  # fmt: skip
        ann, bob = ({"Authorization": f"Bearer {person['token']}"} for person in people)
        await client.post(f"/api/v1/users/{people[0]['user']['id']}/follow", headers=bob)
        assert (await client.post("/api/v1/tweets", json={"text": "hello"}, headers=ann)).status_code == 201

        async def delivered():
            return b'twit_deliveries_total{outcome="stored"} 0' not in (await client.get("/metrics")).content

        await until(delivered)
        page = (await client.get("/api/v1/timeline/home", headers=bob)).json()
        assert [tweet["text"] for tweet in page["tweets"]] == ["hello"]
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["consumer fanout"]) == (200, "ok")


async def test_without_consumers_nothing_is_said_of_them(twit, clock):
    async with served(twit, clock, groups=()) as (client, _, _):
        ready = await client.get("/readyz")
        assert (ready.status_code, [part for part in ready.json()["parts"] if "consumer" in part]) == (200, [])


async def test_what_is_under_way_is_answered_before_the_server_goes(twit, clock, monkeypatch):
    gate, arrived, home = asyncio.Event(), asyncio.Event(), type(twit).user

    async def slowly(*args):
        arrived.set()
        await gate.wait()
        return await home(*args)

    monkeypatch.setattr(type(twit), "user", slowly)
    ann = await builders.make_user(twit, "ann")
    async with served(twit, clock) as (client, stop, task):
        asking = asyncio.create_task(client.get(f"/api/v1/users/{ann}"))
        await arrived.wait()
        stop.set()

        async def refused():
            try:
                _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
            except OSError:
                return True
            writer.close()
            return False

        await until(refused)
        assert not task.done()
        gate.set()
        answer = await asking
        assert (answer.status_code, answer.json()["username"], answer.headers["connection"]) == (200, "ann", "close")
        await task


async def test_while_it_drains_it_says_so_and_still_answers(twit, clock, monkeypatch):
    draining, over = asyncio.Event(), asyncio.Event()

    async def sleep(_seconds):
        draining.set()
        await over.wait()

    async with served(twit, clock, drain_s=5.0) as (client, stop, _):
        assert (await client.get("/readyz")).json()["parts"]["gateway"] == "ok"
        monkeypatch.setattr(clock, "sleep", sleep)
        stop.set()
        await draining.wait()
        ready, alive = await client.get("/readyz"), await client.get("/healthz")
        assert (ready.status_code, ready.json()["parts"]["gateway"], alive.status_code) == (503, "draining", 200)
        over.set()


class Caller:
    """One connection under test, written to without the loop that serves it."""

    def __init__(self, url):
        self.socket = socket.create_connection((url.host, url.port), timeout=10)

    def ask(self, path=b"/healthz", method=b"GET"):
        self.socket.sendall(method + b" " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")

    def answer(self):
        """Status and headers of the next answer; its body is read and let go."""
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        answer.read()
        return answer.status, answer.headers["connection"]


@pytest.mark.parametrize("front", [True, False], ids=["front", "litestar"])
async def test_every_request_that_arrived_before_the_stop_is_answered_and_told_that_the_connection_closes(twit, clock, monkeypatch, front):
    async def at_once(server, sockets=None):  # uvicorn looks only every 100 ms whether it should go, which hides the race
        while not server.should_exit:
            await asyncio.sleep(0)

    monkeypatch.setattr("uvicorn.Server.main_loop", at_once)
    asked = [(b"/healthz", b"GET", 200), (b"/api/v1/timeline/home", b"GET", 401), (b"/nothing", b"GET", 404), (b"/healthz", b"OPTIONS", 204)]
    async with served(twit, clock, front=front) as (client, stop, task):
        kept = [Caller(client.base_url) for _ in range(40)]
        for caller in kept:
            caller.ask()
        assert await asyncio.to_thread(lambda: [caller.answer() for caller in kept]) == [(200, None)] * 40
        idle, *kept = kept
        new = [Caller(client.base_url) for _ in range(40)]
        for at, caller in enumerate([*kept, *new]):
            caller.ask(*asked[at % 4][:2])
        stop.set()
        await task
    assert [caller.answer() for caller in [*kept, *new]] == [(asked[at % 4][2], "close") for at in range(79)]
    assert idle.socket.recv(1) == b""


async def test_a_taken_address_is_told_before_anything_runs(twit, clock):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match="cannot listen"):
            await serve(twit, Serving(port=port), clock=clock, entropy=builders.CountedEntropy())


async def test_consumers_that_end_by_themselves_end_the_server(twit, clock, monkeypatch):
    async def broken(*_):
        msg = "consumers are gone"
        raise RuntimeError(msg)

    monkeypatch.setattr(type(twit.workers), "run", broken)
    with pytest.raises(RuntimeError, match="gone"):
        await asyncio.wait_for(serve(twit, Serving(port=0), clock=clock, entropy=builders.CountedEntropy()), 20)


async def test_garbage_on_the_wire_is_refused_and_the_server_lives(twit, clock):
    async with served(twit, clock) as (client, _, _):
        for garbage in GARBAGE:
            reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
            writer.write(garbage)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 20)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
            writer.close()
        assert (await client.get("/healthz")).status_code == 200


async def test_small_answers_are_not_held_back(twit, clock):
    """asyncio switches Nagle's algorithm off only on sockets that say they are TCP; held back, an answer costs 40 ms."""
    accepted = []
    async with served(twit, clock) as (client, _, _):
        loop = asyncio.get_running_loop()
        await client.get("/healthz")
        for transport in list(loop._transports.values()):
            peer = transport.get_extra_info("sockname")
            if peer and peer[1] == client.base_url.port:
                accepted.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    assert accepted
    assert all(accepted)


PROCESS = """
import asyncio, random, sys
from pathlib import Path
from twit.core import wiring
from twit.core.clock import SystemClock
from twit.core.entropy import SystemEntropy
from twit.core.gateway.server import Serving, serve
from twit.core.limits import Limits
from twit.core.offload import ThreadOffload
from twit.core.stores.embedded import open_stores

async def main():
    clock, entropy, limits, offload = SystemClock(), SystemEntropy(), Limits(), ThreadOffload(1)
    stores = open_stores(Path(sys.argv[1]), limits, clock)
    twit = await wiring.build(stores, limits=limits, clock=clock, chance=random.Random(1), entropy=entropy, offload=offload)
    await serve(twit, Serving(port=0, drain_s=0.2), clock=clock, entropy=entropy, listening=lambda _, port: print(port, flush=True))
    await stores.health.close()
    offload.close()

asyncio.run(main())
print("gone", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_nothing_acknowledged_is_lost(tmp_path, number):
    def start():
        process = subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path / "data")], stdout=subprocess.PIPE, text=True, env={**os.environ})
        return process, f"http://127.0.0.1:{process.stdout.readline().strip()}"

    process, url = start()
    with httpx.Client(base_url=url, timeout=20) as client:
        token = client.post("/api/v1/users", json=SIGN_UP).json()["token"]
        auth = {"Authorization": f"Bearer {token}"}
        posted = [client.post("/api/v1/tweets", json={"text": f"number {n}"}, headers=auth).json()["tweet_id"] for n in range(5)]
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stdout.read() == "gone\n"
    process, url = start()
    try:
        page = httpx.get(f"{url}/api/v1/timeline/home", headers=auth, timeout=20).json()
        assert [tweet["tweet_id"] for tweet in page["tweets"]] == posted[::-1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_the_load_generator_counts_what_the_server_answered(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path / "data")], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        requests = tmp_path / "requests.jsonl"
        requests.write_text('{"path": "/healthz"}\n{"path": "/nothing"}\n')
        load = Path(__file__).parents[1] / "bench" / "load.py"
        for more in ((), ("--rate", "200")):
            done = subprocess.run([sys.executable, str(load), url, "--requests", str(requests), "--connections", "4", "--seconds", "1",
                                   "--warmup", "0.2", *more], capture_output=True, text=True, check=True)  # fmt: skip
            summary = json.loads(done.stdout)
            assert summary["statuses"].keys() == {"200", "404"}
            assert summary["errors"] == summary["statuses"]["404"]
            assert summary["requests"] == sum(summary["statuses"].values())
            assert summary["loop"] == ("open" if more else "closed")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


async def answer_bytes(client, request):
    """What comes over the wire for one request, without the date."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), 0)
    body = b"" if request.startswith(b"HEAD") else await reader.readexactly(length)
    writer.write_eof()
    rest = await reader.read()
    writer.close()
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"date:")]
    return lines, body, rest


async def test_an_answer_in_one_write_is_the_same_as_head_and_body_apart(twit, clock, monkeypatch):
    async with served(twit, clock, rate_limits=False) as (client, _, _):
        (await client.post("/api/v1/users", json=SIGN_UP)).raise_for_status()
        requests = [
            b"%b %b HTTP/1.1\r\nHost: x\r\nX-Request-Id: r1\r\n\r\n" % (method, path)
            for method in (b"GET", b"HEAD")
            for path in (b"/api/v1/users/1/tweets", b"/api/v1/users/1", b"/api/v1/users/99", b"/api/v1/timeline/home", b"/healthz")
        ]
        whole = [await answer_bytes(client, request) for request in requests]
        monkeypatch.setattr("twit.core.gateway.gate.wrote", lambda *_: False)
        assert whole == [await answer_bytes(client, request) for request in requests]

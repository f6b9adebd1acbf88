"""Who may do what only one may do, even when the holder is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from twit.core.errors import Invalid
from twit.core.ports import Lease, Leases, Stores

T = TypeVar("T")

HOLD = """
import asyncio, subprocess, sys

sys.path[:0] = sys.argv[2:4]
from {module} import open_leases

async def main():
    leases = await open_leases(sys.argv[1])
    lease = await leases.acquire("fanout", "the other process")
    node, _ = await leases.node("the other process")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"], stdout=subprocess.DEVNULL, close_fds=False)
    print(lease.fence, node, child.pid, flush=True)
    sys.stdin.read()

asyncio.run(main())
"""
OPENERS = {"embedded": "leases_embedded", "live": "parts_mysql"}  # each opens the same leases in another process
TESTS = Path(__file__).parents[1]


async def within(seconds: float, question: Callable[[], Awaitable[T]], answer: T) -> bool:
    """Whether the answer comes in time: a server learns of a death a moment after the kernel does."""
    deadline = asyncio.get_running_loop().time() + seconds
    while await question() != answer:
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def taken(leases: Leases, name: str, holder: str = "me") -> Lease:
    lease = await leases.acquire(name, holder)
    assert lease is not None
    return lease


async def test_only_one_holds_a_lease_even_within_a_process(stores: Stores) -> None:
    await taken(stores.leases, "fanout")
    assert await stores.leases.acquire("fanout", "me again") is None
    await taken(stores.leases, "social")


async def test_everybody_can_read_who_holds_it(stores: Stores) -> None:
    assert await stores.leases.holder("fanout") == ""
    lease = await taken(stores.leases, "fanout", "worker on host-1, pid 7:\nfan-out – é")
    assert await stores.leases.holder("fanout") == "worker on host-1, pid 7: fan-out – é"
    lease.release()
    assert await stores.leases.holder("fanout") == ""


async def test_a_released_lease_can_be_taken_with_a_higher_fence(stores: Stores) -> None:
    fences = []
    for holder in ("a holder with a rather long name", "b", "c"):
        lease = await taken(stores.leases, "fanout", holder)
        assert await stores.leases.holder("fanout") == holder
        fences.append(lease.fence)
        lease.release()
        lease.release()
    assert fences == sorted(set(fences))


async def test_releasing_twice_does_not_take_it_from_the_next(stores: Stores) -> None:
    first = await taken(stores.leases, "fanout")
    first.release()
    await taken(stores.leases, "fanout", "next")
    first.release()
    assert await stores.leases.acquire("fanout", "third") is None


async def test_asking_who_holds_it_never_stands_in_the_way(stores: Stores) -> None:
    for _ in range(50):
        lease, _ = await asyncio.gather(taken(stores.leases, "fanout"), stores.leases.holder("fanout"))
        lease.release()


async def test_node_ids_are_the_first_free_ones(stores: Stores) -> None:
    held = [await stores.leases.node("me") for _ in range(3)]
    assert [node for node, _ in held] == [0, 1, 2]
    held[1][1].release()
    assert (await stores.leases.node("me"))[0] == 1


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 300])
async def test_a_lease_has_a_name_that_could_be_a_file_s_or_a_lock_s(stores: Stores, name: str) -> None:
    with pytest.raises(Invalid):
        await stores.leases.acquire(name, "me")


@pytest.mark.parametrize(
    "stores", ["embedded", "embedded-inline", pytest.param("live-mysql", marks=pytest.mark.live)], indirect=True
)  # those that another process can open
async def test_a_killed_holder_holds_nothing_though_its_children_live(stores: Stores, tmp_path: Path) -> None:
    hold = HOLD.format(module=OPENERS[stores.kind])
    command = [sys.executable, "-c", hold, str(tmp_path / "stores"), str(TESTS), str(TESTS / "live")]
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    fence, node, child = map(int, (await process.stdout.readline()).split())
    try:
        assert await stores.leases.acquire("fanout", "me") is None
        assert await stores.leases.holder("fanout") == "the other process"
        mine = {(await stores.leases.node("me"))[0]}
        assert node not in mine
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    try:
        assert await within(0.5, lambda: stores.leases.holder("fanout"), "")
        assert (await taken(stores.leases, "fanout")).fence > fence
        assert (await stores.leases.node("me"))[0] not in mine
    finally:
        os.kill(child, signal.SIGKILL)

"""The composition root: picks a world's stores by the context, builds the service over them, and lets go of both.

The only place of the command line that names stores, clocks and dice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..core.clock import Clock, SystemClock
from ..core.entropy import Entropy, SystemEntropy
from ..core.errors import Stopped, StoreError
from ..core.offload import ThreadOffload
from ..core.ports import Stores
from ..core.service import Twit
from ..core.settings import ContextSettings, Settings
from ..core.wiring import build
from ..core.workers import GROUPS
from .invocation import Invocation

T = TypeVar("T")
Told = Callable[[str, int, int], None]  # how far it is: step, done, total
OFFLOAD_THREADS = 4  # hashing passwords, checking stores
TELL_EVERY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class World:
    """An opened context: the service, what it stands on, and where its files are."""

    twit: Twit
    stores: Stores
    clock: Clock
    entropy: Entropy
    settings: Settings
    context: ContextSettings
    folder: Path


@asynccontextmanager
async def open_world(invocation: Invocation, *, create: bool = True) -> AsyncIterator[World]:
    """The chosen context, opened; closed on leaving, whatever happened. `create` makes the stores where there are none."""
    settings = invocation.settings
    folder = settings.context.folder
    entropy = SystemEntropy()
    stores, clock = await _opened(settings, holder(invocation), create=create)
    offload = ThreadOffload(OFFLOAD_THREADS)
    try:
        twit = await build(
            stores, limits=settings.limits, clock=clock, chance=random.Random(int.from_bytes(entropy.token_bytes(8))),
            entropy=entropy, offload=offload, name=holder(invocation),
        )  # fmt: skip
        yield World(
            twit=twit, stores=stores, clock=clock, entropy=entropy, settings=settings, context=settings.context, folder=folder
        )
    finally:
        await stores.health.close()
        offload.close()


async def _opened(settings: Settings, name: str, *, create: bool) -> tuple[Stores, Clock]:
    """The stores of the chosen context, and its clock; to others on the same servers this process is `name`."""
    context, limits, clock = settings.context, settings.limits, SystemClock()
    if context.kind == "live":
        from .live import open_live

        return await open_live(context, limits, clock, name), clock
    if context.kind == "simulated":
        from .computed import open_computed

        return await open_computed(context, limits, clock)
    from ..core.stores.embedded import open_stores

    return open_stores(context.folder, limits, clock, ring_folder=context.ring, create=create), clock


def holder(invocation: Invocation) -> str:
    """Who holds a lease, as others are told: command, process, machine."""
    return f"{invocation.command} (process {os.getpid()} on {socket.gethostname()})"


def perform(
    invocation: Invocation, act: Callable[[World], Awaitable[T]], *, writes: bool = False, restartable: Told | None = None,
    create: bool = True,
) -> T:
    """Open the world, do it, see to the events that it caused if it `writes`, close, and return what came of it.

    Ctrl-C before anything was written is a `KeyboardInterrupt`; after that it is `Stopped`. A write under way is finished
    first, unless it is `restartable`: that one goes on where it stopped when it is called again, so it sees to all events that
    are pending, its own of the time before included, and tells how far that is.
    """
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO if invocation.verbose else logging.WARNING)
    written = _Written()
    try:
        return asyncio.run(_perform(invocation, act, written, writes=writes, restartable=restartable, create=create))
    except KeyboardInterrupt:
        if not written.stands:
            raise
        raise _stopped(invocation, finished=restartable is None or written.whole) from None


@dataclass
class _Written:
    """Whether something durable was done, and whether that was all."""

    stands: bool = False
    whole: bool = False


async def _perform(
    invocation: Invocation, act: Callable[[World], Awaitable[T]], written: _Written, *, writes: bool, restartable: Told | None, create: bool
) -> T:
    async with open_world(invocation, create=create) as world:
        if not writes:
            return await act(world)
        if world.stores.kind == "simulated" and world.context.data is None:
            invocation.terminal.warn("this world is in memory: what you do in it is gone when the command ends; TWIT_DATA=DIR keeps it")
        before = await world.twit.workers.moment()
        if restartable is None:
            result = await _finished(act(world), written)
            await _handled(invocation, world.twit.workers.drain(own_only_until=before))
        else:
            result = await _begun(world, act, written, before.end)
            async with _watched(world, restartable):
                await _handled(invocation, world.twit.workers.drain())
        return result


async def _handled(invocation: Invocation, draining: Awaitable[bool]) -> None:
    """See to the events of what was done. It stands, whether its events can be handled now or not."""
    try:
        if not await draining:
            invocation.terminal.detail("another process handles the events of this")
    except StoreError as error:
        invocation.terminal.warn(f"done; the events of this are left to whoever consumes next: {error}")


@asynccontextmanager
async def _watched(world: World, tell: Told) -> AsyncIterator[None]:
    """Meanwhile, tell how many events are handled, of all groups together: after an import they may be most of the work."""
    watch = asyncio.create_task(_watch(world, tell))
    try:
        yield
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch


async def _watch(world: World, tell: Told) -> None:
    lanes = [lane for group in GROUPS for lane in world.stores.lanes(group)]
    began = sum([await lane.log.offset(lane.name) for lane in lanes])
    while True:
        handled = sum([await lane.log.offset(lane.name) for lane in lanes])
        tell("events", handled - began, sum([await lane.log.tail() for lane in lanes]) - began)
        await world.clock.sleep(TELL_EVERY_S)


async def _begun(world: World, act: Callable[[World], Awaitable[T]], written: _Written, before: int) -> T:
    """Cancelled, it stops where it stands, which may be in the middle."""
    try:
        result = await act(world)
    finally:
        written.stands = await world.stores.log.tail() > before
    written.whole = True
    return result


async def _finished(act: Awaitable[T], written: _Written) -> T:
    """Cancelled or not, a write that has begun comes to its end."""
    task = asyncio.ensure_future(act)
    try:
        result = await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        written.stands = not task.cancelled() and task.exception() is None
        raise
    written.stands = True
    return result


def _stopped(invocation: Invocation, *, finished: bool) -> Stopped:
    if finished:
        meaning = "What was written stands. Its events are handled by the next command, worker or server."
        return Stopped("stopped after the write", meaning=meaning, try_="twit worker --until-idle")
    meaning = "What was written so far stands, and the same command goes on from there."
    return Stopped("stopped in the middle", meaning=meaning, try_=f"{invocation.command} … again")

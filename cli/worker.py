"""worker: event consumers without a gateway, so that a site scales the two apart."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from .command import command
from .invocation import current, terminal

if TYPE_CHECKING:
    from .contexts import World

GROUPS = ("social", "fanout")  # as core/workers.py has them (a test holds them together); help must not import it
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@command("worker", examples=("twit worker", "twit worker fanout"))
@click.argument("groups", type=click.Choice(GROUPS), nargs=-1, metavar="[GROUP…]")
@click.option("--until-idle", is_flag=True, help="Handle what is pending now, then leave.")
def worker(groups: tuple[str, ...], until_idle: bool) -> None:
    """Run event consumers alone.

    GROUP is social (follows, blocks, merges) or fanout (delivery of tweets); without it, both. Where another process has
    a group, this one waits to take over. Ctrl-C or SIGTERM stops at a checkpoint.
    """
    from .contexts import perform

    chosen = tuple(dict.fromkeys(groups)) or GROUPS

    async def act(world: World) -> None:
        if until_idle:
            await world.twit.workers.drain(chosen)
            return
        stop = asyncio.Event()
        with _stopped_by_signals(stop):
            terminal().say(f"consuming {', '.join(chosen)}  context={world.context.name}  Ctrl-C stops at a checkpoint")
            await world.twit.workers.run(chosen, stop)

    perform(current(), act)


@contextlib.contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """The first signal asks; a second one ends the process, which loses nothing either."""
    loop = asyncio.get_running_loop()

    def asked() -> None:
        stop.set()
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, asked)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

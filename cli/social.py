"""follow, block, mute and their undoing: one person and another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from .arguments import WHO, Who, people
from .command import Command, command
from .invocation import current, terminal

if TYPE_CHECKING:
    from ..core.service import Twit

who_argument = click.argument("who", type=WHO, metavar="@WHO")
whom_argument = click.argument("whom", type=WHO, metavar="@WHOM")
Act = Callable[["Twit", int, int], Awaitable[str]]


@command("follow", examples=("twit follow @ada @grace", "twit follow @ada @grace --no-retweets", "twit follow @ada @grace --undo"))
@who_argument
@whom_argument
@click.option("--undo", is_flag=True, help="The same as twit unfollow.")
@click.option("--retweets/--no-retweets", default=True, help="Whether retweets by @WHOM are shown too.  [default: retweets]")
def follow(who: Who, whom: Who, undo: bool, retweets: bool) -> None:
    """Make one person follow another.

    A private account is asked, and answers with twit user requests. Following again changes nothing but the retweets.
    """

    async def act(twit: Twit, actor: int, target: int) -> str:
        return (await twit.follow(actor, target, retweets=retweets)).value

    _perform(who, whom, _unfollow if undo else act)


@command("unfollow", examples=("twit unfollow @ada @grace",))
@who_argument
@whom_argument
def unfollow(who: Who, whom: Who) -> None:
    """End a follow, or withdraw the request."""
    _perform(who, whom, _unfollow)


async def _unfollow(twit: Twit, actor: int, target: int) -> str:
    return "unfollowed" if await twit.unfollow(actor, target) else "not_following"


def _relation(verb: str, done: str, repeated: str, summary: str) -> Command:
    """block, unblock, mute and unmute differ in words alone."""

    @command(verb, examples=(f"twit {verb} @ada @grace",))
    @who_argument
    @whom_argument
    def body(who: Who, whom: Who) -> None:
        async def act(twit: Twit, actor: int, target: int) -> str:
            return done if await getattr(twit, verb)(actor, target) else repeated

        _perform(who, whom, act)

    body.help = summary
    return body


block = _relation("block", "blocked", "already_blocked", "Hide two people from each other and end their follows.")
unblock = _relation("unblock", "unblocked", "not_blocked", "Lift a block; the follows do not come back.")
mute = _relation("mute", "muted", "already_muted", "Hide someone from one person's home timeline.")
unmute = _relation("unmute", "unmuted", "not_muted", "Lift a mute.")


def _perform(who: Who, whom: Who, act: Act) -> None:
    from .contexts import World, perform
    from .shapes import state_sheet

    async def run(world: World) -> dict[str, str]:
        actor, target = await people(world.twit, who, whom)
        status = await act(world.twit, actor.user_id, target.user_id)
        return {"user": actor.username, "target": target.username, "status": status}

    row = perform(current(), run, writes=True)
    line = f"@{row['user']}  {row['status'].replace('_', ' ')}  @{row['target']}"
    terminal().show(state_sheet(row, line, "target"))

"""`twit` itself: the table of commands, and the one place where a run ends in an exit code."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from .command import GLOBAL_OPTIONS, Entry, LazyGroup
from .failures import exit_code
from .invocation import Invocation

PEOPLE, TWEETS, READING = "People", "Tweets", "Reading"
RUNNING, PLANNING, DATA, SETUP = "Running and operating", "Planning", "Data", "Setting up"
COMMANDS = {
    "serve": Entry(RUNNING, ".serve", "serve", "Serve the HTTP API, with the event consumers."),
    "worker": Entry(RUNNING, ".worker", "worker", "Run event consumers alone."),
    "ops": Entry(RUNNING, ".ops", "ops", "Procedures for operators: rebuild, audit, lag, runs."),
    "simulate": Entry(PLANNING, ".simulate", "simulate", "Plan capacity: the arithmetic, the population, the day."),
    "user": Entry(PEOPLE, ".user", "user", "Create, show and change accounts."),
    "follow": Entry(PEOPLE, ".social", "follow", "Make one person follow another."),
    "unfollow": Entry(PEOPLE, ".social", "unfollow", "End a follow, or withdraw the request."),
    "block": Entry(PEOPLE, ".social", "block", "Hide two people from each other and end their follows."),
    "unblock": Entry(PEOPLE, ".social", "unblock", "Lift a block; the follows do not come back."),
    "mute": Entry(PEOPLE, ".social", "mute", "Hide someone from one person's home timeline."),
    "unmute": Entry(PEOPLE, ".social", "unmute", "Lift a mute."),
    "post": Entry(TWEETS, ".tweet", "post", "Post a tweet, a reply or a quote."),
    "delete": Entry(TWEETS, ".tweet", "delete", "Delete one's own tweet."),
    "like": Entry(TWEETS, ".tweet", "like", "Like a tweet."),
    "unlike": Entry(TWEETS, ".tweet", "unlike", "Take a like back."),
    "retweet": Entry(TWEETS, ".tweet", "retweet", "Retweet a tweet."),
    "unretweet": Entry(TWEETS, ".tweet", "unretweet", "Take a retweet back."),
    "timeline": Entry(READING, ".timeline", "timeline", "Read a home timeline, or one user's own tweets."),
    "tweet": Entry(READING, ".timeline", "tweet", "Show one tweet."),
    "thread": Entry(READING, ".timeline", "thread", "Show a tweet with what it answers and its replies."),
    "import": Entry(DATA, ".imports", "imports", "Bring people and their activity in from files."),
    "export": Entry(DATA, ".export", "export", "Write users, tweets or follows as JSON lines."),
    "context": Entry(SETUP, ".context", "context", "The worlds that commands work on."),
    "config": Entry(SETUP, ".config", "config", "Settings, and where each came from."),
    "completion": Entry(SETUP, ".completion", "completion", "Print a completion script for a shell."),
}


class Root(LazyGroup):
    """Ends every run, whatever happened, in one exit code and at most one message."""

    def format_globals(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Global options, before or after the command"):
            formatter.write_dl([record for param in GLOBAL_OPTIONS if (record := param.get_help_record(ctx))])

    def main(  # type: ignore[override]  # always leaves, never returns
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        del prog_name  # `python -m` and test runners would show other names
        invocation = Invocation()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, io.UnsupportedOperation):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            extra["standalone_mode"] = False
            result = super().main(args=args, prog_name="twit", obj=invocation, **extra)
            code = result if isinstance(result, int) else 0
        except BaseException as error:  # noqa: BLE001 - the last word on every failure
            code = exit_code(error, invocation)
        sys.exit(code)


root = Root(
    "twit",
    entries=COMMANDS,
    help="A social feed: its service, its operations, its simulation.",
    examples=(
        "twit serve --demo",
        "twit user create @ada --email ada@example.org",
        'twit post @ada "first!"',
        "twit timeline @ada",
    ),
)

"""import: people from a file. What a file becomes is in ops/imports; here it is asked for, watched and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .command import Group
from .invocation import current, terminal

if TYPE_CHECKING:
    from .contexts import World
    from .output import Sheet

file_argument = click.argument("file", type=click.Path(path_type=Path), metavar="FILE")


@click.group("import", cls=Group, examples=("twit import users people.csv", "twit import users users.jsonl -o json"))
def imports() -> None:
    """Bring people and their activity in from files."""


@imports.command("users", examples=("twit import users people.csv", "twit --context stage import users users.jsonl"))
@file_argument
def users(file: Path) -> None:
    """Make accounts of a CSV file with a header, or of JSON lines.

    Fields: username, and as you have them email, display_name, bio, location, website, profile_image, banner_image,
    is_private. Names that are there already are left alone, so a second run changes nothing. Bad lines are reported by
    number and skipped. Nobody brought in can log in before twit user passwd.
    """
    from ..ops.imports.users import UsersReport, import_users
    from .contexts import perform

    with steps(file.name) as progress:

        async def act(world: World) -> UsersReport:
            return await import_users(world.twit, file, now_ms=world.clock.now_ms(), progress=progress)

        report = perform(current(), act, writes=True, restartable=progress)
    show_report(report, f"{report.rows} rows: {report.created} accounts made, {report.standing} were there")


prefix_option = click.option(
    "--prefix", default="u", show_default=True, metavar="NAME", help="Number 7 of the file becomes @NAME7.",
)  # fmt: skip


@imports.command("graph", examples=("twit import graph reed98.edges --prefix reed", "twit import graph follows.txt.gz --directed"))
@file_argument
@prefix_option
@click.option("--directed", is_flag=True, help="A pair means that the first follows the second, and no more.")
def graph(file: Path, prefix: str, directed: bool) -> None:
    """Make accounts and follows of a file of number pairs.

    Each line holds two numbers, plain or gzip: both follow each other, or with --directed the first follows the second. A
    number paired with itself makes no follow. A second run changes nothing. Bad lines are reported by number and skipped.
    """
    from ..ops.imports.graph import GraphReport, import_graph
    from .contexts import perform

    with steps(file.name) as progress:

        async def act(world: World) -> GraphReport:
            now_ms = world.clock.now_ms()
            return await import_graph(world.twit, file, prefix=prefix, directed=directed, now_ms=now_ms, progress=progress)

        report = perform(current(), act, writes=True, restartable=progress)
    show_report(report, f"{report.pairs} pairs: {report.accounts_new} accounts and {report.follows_new} follows made")


@imports.command("activity", examples=("twit import activity higgs-activity_time.txt.gz", "twit import activity log.txt --prefix day1_ -o json"))
@file_argument
@prefix_option
def activity(file: Path, prefix: str) -> None:
    """Make accounts, follows and dated tweets of a file of interactions.

    Each line: actor, target, unix seconds, action. MT is a tweet that mentions the target, RE a reply to his newest tweet, RT
    a retweet of his newest that the actor has not retweeted yet; where there is none, an original is made for it. The file
    has no follow graph: actor follows target is taken from it first. Everybody counts as seen now. Stopped anywhere, it
    goes on when it is started again. Bad lines are reported by number and skipped.
    """
    from ..ops.imports.activity import ActivityReport, import_activity
    from .contexts import perform

    with steps(file.name) as progress:

        async def act(world: World) -> ActivityReport:
            return await import_activity(world.twit, file, prefix=prefix, now_ms=world.clock.now_ms(), progress=progress)

        report = perform(current(), act, writes=True, restartable=progress)
    terminal().warn("follows are taken from the interactions: actor follows target")
    made = f"{report.accounts_new} accounts, {report.follows_new} follows, {report.tweets_new} tweets made"
    show_report(report, "\n".join([f"{report.rows} rows: {made}", *(f"  {count:>9}  {case}" for case, count in report.cases.items())]))


@contextmanager
def steps(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Progress as imports tell it: (step, done, total)."""
    with terminal().progress(what) as bar:
        yield bar.step


def show_report(report: Any, line: str) -> None:
    """The report as a result; bad lines on stderr, by number."""
    import msgspec

    from .shapes import state_sheet

    row: dict[str, Any] = msgspec.to_builtins(report)
    for bad in row["bad"]:
        terminal().warn(f"line {bad['number']} skipped: {bad['reason']}")
    if row["bad_lines"] > len(row["bad"]):
        terminal().warn(f"and {row['bad_lines'] - len(row['bad'])} more")
    sheet: Sheet = state_sheet(row, line, next(iter(row)))
    terminal().show(sheet)

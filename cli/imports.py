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


@imports.command("users", examples=("twit import users people.csv", "twit export users > users.jsonl; twit --context stage import users users.jsonl"))
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

        report = perform(current(), act, writes=True)
    show_report(report, f"{report.rows} rows: {report.created} accounts made, {report.standing} were there")


@contextmanager
def steps(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """Progress as imports tell it: (step, done, total)."""
    with terminal().progress(what) as bar:
        yield lambda step, done, total: bar.update(done, step, total)


def show_report(report: Any, line: str) -> None:
    """The report as a result; bad lines on stderr, by number."""
    import msgspec

    from .shapes import state_sheet

    row: dict[str, Any] = msgspec.to_builtins(report)
    for bad in row["bad"]:
        terminal().warn(f"line {bad['number']} skipped: {bad['reason']}")
    if row["bad_lines"] > len(row["bad"]):
        terminal().warn(f"and {row['bad_lines'] - len(row['bad'])} more")
    sheet: Sheet = state_sheet(row, line, "rows")
    terminal().show(sheet)

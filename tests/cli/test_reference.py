"""Every command explains itself, docs/cli.md says the same, and the examples are true."""

from __future__ import annotations

import shlex
from itertools import takewhile
from pathlib import Path

import click
import pytest

from twit.cli.command import Command, Group, LazyGroup
from twit.cli.reference import commands, reference

ALL = dict(commands())
PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


@pytest.mark.parametrize("path", ALL)
def test_every_command_has_help_and_examples(path):
    command = ALL[path]
    assert isinstance(command, Command | Group)
    assert (command.help or "").strip().partition("\n")[0].endswith(".")
    assert command.examples
    own = [param for param in command.params if isinstance(param, click.Option)]
    assert all(param.help or param.metavar or param.name in {"location", "email", "cursor"} for param in own)


LISTED = {f"{path} {name}": entry for path, group in ALL.items() if isinstance(group, LazyGroup) for name, entry in group.entries.items()}


@pytest.mark.parametrize("path", LISTED)
def test_the_list_of_commands_says_what_each_says_of_itself(path):
    assert LISTED[path].summary == (ALL[path].help or "").strip().partition("\n")[0]


def test_the_page_is_what_the_commands_say():
    assert PAGE.read_text(encoding="utf-8") == reference(), "make it anew: python -m twit.cli.reference > docs/cli.md"


EXAMPLES = sorted({(path, example) for path, command in ALL.items() for example in command.examples})


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
def test_every_example_parses_and_is_of_its_command(path, example, home, monkeypatch):
    called = []
    monkeypatch.setattr(Command, "invoke", lambda _self, ctx: called.append(ctx.command_path))
    words = shlex.split(example.partition("; ")[0].removeprefix('eval "$(').removesuffix(')"'))
    call = list(takewhile(lambda word: word not in {"|", ">", "<", "&&"}, words))
    result = home.twit(*call[1:], input="a text")
    assert (call[0], result.exit_code, result.stderr) == ("twit", 0, "")
    assert called[0].startswith(path)

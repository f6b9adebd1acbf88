"""One run of the command line: the global options as given anywhere on it, and the settings they lead to."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .output import Terminal

if TYPE_CHECKING:
    from ..core.settings import Settings


class Invocation:
    """Filled while the line is parsed; a later option wins over an earlier one. `None`: not given."""

    def __init__(self) -> None:
        self.context: str | None = None
        self.output: str | None = None
        self.color: str | None = None
        self.quiet = False
        self.verbose = False
        self.no_input = False
        self.host: str | None = None
        self.port: int | None = None
        self.command = "twit"
        self.terminal = Terminal(self)

    @cached_property
    def settings(self) -> Settings:
        """The settings that hold here. Raises `Invalid` for a file or variable that is wrong."""
        from ..core import settings

        given = {name: getattr(self, name) for name in ("context", "output", "color", "host", "port")}
        found = settings.load(os.environ, Path.cwd(), given)
        for name, meant in settings.misspelt_variables(os.environ):
            self.terminal.warn(f"{name} is no setting of ours; did you mean {meant}?")
        return found

    def choose(self, context: str) -> None:
        """Go on in another context."""
        self.context = context
        self.__dict__.pop("settings", None)


def current() -> Invocation:
    """The invocation under way; for the bodies of commands."""
    invocation = click.get_current_context().find_object(Invocation)
    if invocation is None:
        msg = "a command ran outside of root.main"
        raise RuntimeError(msg)
    return invocation


def terminal() -> Terminal:
    """The terminal of the invocation under way."""
    return current().terminal

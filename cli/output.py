"""The terminal: one object owns it. stdout is results only, in one of five formats; everything else goes to stderr.

Texts of people are shown with control characters made visible, so that a tweet cannot drive the reader's terminal.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from .invocation import Invocation
    from .progress import Progress

_INVISIBLE = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), "\ufffd")
_REORDERING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
_SHOWN = str.maketrans(_INVISIBLE | _REORDERING)


def shown(text: object) -> str:
    """`text` on one line, with nothing in it that a terminal would act on."""
    return str(text).replace("\r\n", "\n").replace("\n", "⏎").translate(_SHOWN)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A result in every format. `rows` are JSON objects; `columns` maps a heading to a dotted key of a row.

    `document` is what json prints (the rows where it is not given), `name` the key that name prints,
    `lines` what table prints where sentences read better than columns (already `shown`).
    """

    rows: Sequence[Mapping[str, object]]
    columns: Mapping[str, str]
    name: str
    document: object = None
    lines: Sequence[str] | None = None


class Terminal:
    """Writes results, notes, warnings and errors, and asks where that is allowed."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    # results
    @property
    def format(self) -> str:
        """The output format, from the option or the settings."""
        return self._invocation.output or self._invocation.settings.output

    def show(self, sheet: Sheet) -> None:
        """Write a result to stdout."""
        from .render import render

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        self.data(render(sheet, self.format, width=width, color=self.colors(sys.stdout)))

    def data(self, text: str) -> None:
        """Write `text` as it is to stdout. A reader who has gone (`| head`) ends the command quietly."""
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(0) from None

    # everything else
    def say(self, text: str) -> None:
        """A note on stderr, unless --quiet."""
        if not self._invocation.quiet:
            self._write(text)

    def detail(self, text: str) -> None:
        """A note on stderr with --verbose."""
        if self._invocation.verbose:
            self._write(text)

    def warn(self, text: str) -> None:
        """A warning on stderr, always."""
        self._write(f"{self._styled('warning:', 'yellow')} {shown(text)}")

    def help(self, text: str) -> None:
        """Help that nobody asked for: stderr."""
        self._write(text)

    def failure(self, what: str, code: str, *, meaning: str = "", try_: str = "") -> None:
        """An error: what happened, what it means, what to do."""
        lines = [f"{self._styled('error:', 'red')} {shown(what)} ({code})"]
        lines += [f"  {shown(line)}" for line in meaning.splitlines()]
        lines += [f"  try:  {shown(try_)}"] if try_ else []
        self._write("\n".join(lines))

    def progress(self, what: str, total: int | None = None) -> Progress:
        """A bar on a terminal, a line every 10 s elsewhere, nothing with --quiet."""
        from .progress import Progress

        live = not self._invocation.quiet and sys.stderr.isatty()
        return Progress(self.say, what, total, live=live, color=self.colors(sys.stderr))

    # asking
    @property
    def may_ask(self) -> bool:
        """Whether someone is there to answer."""
        return not self._invocation.no_input and sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str, instead: str) -> bool:
        """Ask yes or no, no being the default. Off a terminal a usage error that names what to pass `instead`."""
        self._refuse_to_ask(question, instead)
        return click.confirm(question, default=False, err=True)

    def ask(self, question: str, instead: str) -> str:
        """Ask for a word."""
        self._refuse_to_ask(question, instead)
        return str(click.prompt(question, err=True))

    def password(self, question: str, instead: str) -> str:
        """Ask twice for a password, without echo."""
        self._refuse_to_ask(question, instead)
        return str(click.prompt(question, hide_input=True, confirmation_prompt=True, err=True))

    def _refuse_to_ask(self, question: str, instead: str) -> None:
        if not self.may_ask:
            why = "--no-input was given" if self._invocation.no_input else "this is not a terminal"
            what = f"cannot ask {question!r}: {why}\npass {instead}"
            raise click.UsageError(what, click.get_current_context(silent=True))

    # colour
    def colors(self, stream: TextIO) -> bool:
        """Whether `stream` gets colours: --color, then NO_COLOR, then whether it is a terminal."""
        chosen = self._invocation.color or self._settled_color()
        if chosen == "auto":
            return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return chosen == "always"

    def _settled_color(self) -> str:
        """Settings may themselves be what went wrong; an error about them is still written."""
        settings = self._invocation.__dict__.get("settings")
        return settings.color if settings is not None else "auto"

    def _styled(self, text: str, color: str) -> str:
        return click.style(text, fg=color, bold=True) if self.colors(sys.stderr) else text

    def _write(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

"""Any failure → one message and one exit code.

0 done or nothing to do · 1 a bug (traceback in a file) · 2 usage or settings · 3 refused · 4 the answer is no
5 a store is unreachable or timed out · 75 stopped, resumable · 130 interrupted before anything was written
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import click

from ..core.errors import Forbidden, Invalid, NotFound, RateLimited, StoreError, TwitError
from .invocation import Invocation
from .output import Terminal

BUG, USAGE, INTERRUPTED = 1, 2, 130


def exit_code(error: BaseException, invocation: Invocation) -> int:
    """Say what happened on stderr and return the exit code of it."""
    terminal = invocation.terminal
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else BUG
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        told = str(error.__cause__ or "") or str(error)  # click puts its own in place of what was raised
        terminal.failure(told or "interrupted; nothing was written", "INTERRUPTED")
        return INTERRUPTED
    if isinstance(error, TwitError):
        terminal.failure(str(error), error.code, meaning=_meaning(error), try_=error.try_ or _try(error, invocation))
        return error.exit_code
    if isinstance(error, click.ClickException):
        return _usage(error, invocation)
    return _bug(error, terminal)


def _meaning(error: TwitError) -> str:
    if error.meaning or isinstance(error, RateLimited):
        return error.meaning
    return "The request may be right; the store did not carry it." if isinstance(error, StoreError) else ""


def _try(error: TwitError, invocation: Invocation) -> str:
    """What to do where the core, which knows no commands, says nothing."""
    if error.code == "SETTINGS":
        return "mend it there, or leave it out: what is built in holds then"
    if isinstance(error, NotFound):
        return "twit user list for people, twit timeline @WHO -o name for tweets"
    if isinstance(error, Invalid | Forbidden):
        return f"{invocation.command} --help"
    return "twit context check" if isinstance(error, StoreError) else ""


def _usage(error: click.ClickException, invocation: Invocation) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        invocation.terminal.help(error.format_message())
        return USAGE
    what, _, hint = error.format_message().partition("\n")
    first = what[:1].lower() + what[1:]
    meaning = " ".join(hint.split())
    invocation.terminal.failure(first.rstrip("."), "USAGE", meaning=meaning, try_=f"{invocation.command} --help")
    return USAGE


def _bug(error: BaseException, terminal: Terminal) -> int:
    where = _traceback_file(error)
    meaning = f"This is a bug in twit. The traceback is in {where}" if where else "This is a bug in twit."
    terminal.failure(f"{type(error).__name__}: {error}", "BUG", meaning=meaning, try_="report it with that file")
    return BUG


def _traceback_file(error: BaseException) -> Path | None:
    """In the state folder of the user, else in the folder for temporary files; readable by the user alone."""
    import traceback

    text = f"twit {' '.join(sys.argv[1:])}\n\n{''.join(traceback.format_exception(error))}"
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "twit"
    for folder in (state, Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f"crash-{time.strftime('%Y%m%d-%H%M%S')}-", suffix=".txt", dir=folder)
            with os.fdopen(handle, "w", errors="backslashreplace") as file:
                file.write(text)
            return Path(name)
        except OSError:
            continue
    return None

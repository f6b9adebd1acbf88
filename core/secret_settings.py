"""Secrets of a context, read when they are needed from the file or command that its settings name. Never shown, never stored."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from .errors import Invalid
from .settings import ContextSettings
from .settings_keys import SECRETS

COMMAND_TIMEOUT_S = 30  # password managers may ask someone
SECRET_BYTES_MAX = 65_536
REDACTED = "********"


class Secret:
    """A value that shows itself as stars. `reveal()` is for the driver that needs it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED


def shown(key: str, value: object) -> object:
    """`value` as it may be printed: of a command only its first word, since secrets hide in arguments."""
    if key.endswith("_command"):
        return f"{str(value).split(maxsplit=1)[0]} {REDACTED}"
    return value


def names(context: ContextSettings) -> list[str]:
    """The secrets that this context says how to get."""
    return [secret for secret in sorted(SECRETS) if {f"{secret}_file", f"{secret}_command"} & set(context.values)]


def read(context: ContextSettings, secret: str) -> Secret:
    """Return the secret, without its last line break. Raises `Invalid` where its file or command does not give one."""
    by_file, by_command = context.values.get(f"{secret}_file"), context.values.get(f"{secret}_command")
    if by_file and by_command:
        what = f"{by_file.source} and {by_command.source} both give {secret}"
        raise Invalid(what, field=secret, code="SETTINGS", try_="keep one of them")
    if by_file:
        return Secret(_of_file(Path(str(by_file.value)), by_file.source))
    if by_command:
        return Secret(_of_command(str(by_command.value), by_command.source))
    what = f"context {context.name} does not say how to get {secret}"
    raise Invalid(what, field=secret, code="SETTINGS", try_=f"{secret}_file = …  or  {secret}_command = …")


def _of_file(path: Path, source: str) -> str:
    try:
        if path.stat().st_mode & 0o077:
            what = f"{source}: others can read {path}"
            raise Invalid(what, field=source, code="SETTINGS", try_=f"chmod 600 {shlex.quote(str(path))}")
        return _one_line(path.read_bytes(), source)
    except OSError as error:
        what = f"{source}: {path} cannot be read: {error.strerror}"
        raise Invalid(what, field=source, code="SETTINGS") from error


def _of_command(command: str, source: str) -> str:
    try:
        words = shlex.split(command)
        done = subprocess.run(words, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=True)  # noqa: S603 - the user's own
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        what = f"{source}: the command {shown('_command', command)} failed ({type(error).__name__})"
        raise Invalid(what, field=source, code="SETTINGS", try_="run it by hand to see why") from None
    return _one_line(done.stdout, source)


def _one_line(raw: bytes, source: str) -> str:
    value = raw[:SECRET_BYTES_MAX].decode("utf-8", errors="replace").rstrip("\r\n")
    if not value:
        what = f"{source}: it gives an empty secret"
        raise Invalid(what, field=source, code="SETTINGS")
    return value

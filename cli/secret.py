"""Passwords from a prompt without echo, a file or stdin. Never from an argument: those show in process lists and histories."""

from __future__ import annotations

import sys

import click

from .arguments import Who
from .invocation import terminal

PASSWORD_BYTES_MAX = 65_536  # far above any password; a wrong file is not read whole

password_option = click.option(
    "--password-file", metavar="FILE", help="Read the password from this file, - for stdin, instead of asking."
)


def new_password(who: Who, password_file: str | None) -> str:
    """The password for `who`. A usage error where it is neither in a file nor can be asked for."""
    if password_file is None:
        return terminal().password(f"Password for {who}", "--password-file FILE, or --password-file - and the password on stdin")
    try:
        if password_file == "-":  # noqa: S105 - the usual name of stdin
            raw = sys.stdin.buffer.read(PASSWORD_BYTES_MAX)
        else:
            with open(password_file, "rb") as file:  # noqa: PTH123 - the option may name a pipe
                raw = file.read(PASSWORD_BYTES_MAX)
        return raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        message = f"--password-file {password_file}: {error.strerror}"
        raise click.UsageError(message) from error
    except UnicodeDecodeError as error:
        message = f"--password-file {password_file} is not UTF-8"
        raise click.UsageError(message) from error

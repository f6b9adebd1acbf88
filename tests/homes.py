"""A home, a working folder and a data directory of its own for the command line, and commands run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from twit.cli.root import root

PASSWORD = "correct horse"


class _Process(subprocess.Popen):
    """As the context of a test that fails, it is not waited for until the test's time is over."""

    def __exit__(self, kind, *rest) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *rest)


class Home:
    """Runs commands in this process (`twit`), or as a user's shell does (`process`). `env` and files may be added between."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self.work = folder, folder / "data", folder / "work"
        self.settings_file, self.local_file = folder / ".config" / "twit" / "twit.toml", self.work / "twit.toml"
        self.work.mkdir()
        self.password = folder / "password"
        self.password.write_text(f"{PASSWORD}\n")
        self.env = {"HOME": str(folder), "TWIT_DATA": str(self.data), "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "XDG_STATE_HOME": ""}

    def twit(self, *args: object, input: str | None = None):  # noqa: A002 - as CliRunner calls it
        """The result, with exit_code, stdout, stderr."""
        return CliRunner(env=self.env).invoke(root, [str(arg) for arg in args], input=input)

    def ok(self, *args: object) -> str:
        """What a command that must succeed writes to stdout."""
        result = self.twit(*args)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def process(self, *args: object, **more) -> _Process:
        """The same as a process of its own."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-c", "from twit.cli import main; main()", *map(str, args)]
        return _Process(command, env=os.environ | self.env, cwd=self.work, text=True, **(pipes | more))

    def shell(self, *args: object, input: str = "") -> tuple[int, str, str]:  # noqa: A002
        """Exit code, stdout, stderr of such a process."""
        process = self.process(*args)
        out, err = process.communicate(input, timeout=60)
        return process.returncode, out, err

    def settle_in(self, names: str = "ada grace") -> None:
        """People by these names, who have no password."""
        people = self.folder / "people.csv"
        people.write_text("".join(["username,email\n", *(f"{name},{name}@example.org\n" for name in names.split())]))
        self.ok("import", "users", people)

    def post(self, who: str, text: str, *more: object) -> str:
        """A tweet; its id."""
        return self.ok("post", who, text, *more, "-o", "name").strip()

"""`twit --help` is quick because it imports next to nothing; how quick is row 15 of the benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from twit.cli.command import COLORS, FORMATS
from twit.cli.worker import GROUPS
from twit.core import settings_keys, workers

HEAVY = {
    "numpy", "pandas", "rich", "msgspec", "asyncio", "sqlite3", "litestar", "uvicorn", "argon2", "prometheus_client",
    "email_validator", "redis", "cassandra", "pymysql", "kafka", "elasticsearch", "boto3",
}  # fmt: skip


def imported_by(*args):
    """Top-level names of the modules that a run imports, and its exit code."""
    command = [sys.executable, "-X", "importtime", "-c", "from twit.cli import main; main()", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}, done.returncode


@pytest.mark.parametrize("args", [("--help",), ("--version",), ("post", "--help"), ("serve", "-h"), ("user", "create", "--help"), ("frobnicate",)])
def test_help_imports_no_driver_no_numbers_and_no_drawing(args):
    modules, code = imported_by(*args)
    assert code == (2 if args == ("frobnicate",) else 0)
    assert not HEAVY & {name.partition(".")[0] for name in modules}
    assert {name for name in modules if name.startswith("twit.core")} <= {"twit.core", "twit.core.errors"}


def test_help_imports_only_the_command_that_it_is_about():
    modules, _ = imported_by("--help")
    assert not [name for name in modules if name in {"twit.cli.serve", "twit.cli.user", "twit.cli.output.render"}]


def test_completing_a_command_imports_no_command():
    environ = os.environ | {"_TWIT_COMPLETE": "bash_complete", "COMP_WORDS": "twit ti", "COMP_CWORD": "1"}
    command = [sys.executable, "-X", "importtime", "-c", "from twit.cli import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ, check=False)
    assert done.stdout == "plain,timeline\n"
    assert "twit.cli.timeline" not in done.stderr


def test_words_that_help_knows_without_importing_them_are_the_true_ones():
    assert (FORMATS, COLORS) == (settings_keys.OUTPUTS, settings_keys.COLORS)
    assert GROUPS == workers.GROUPS

"""completion: scripts that each shell takes, and the words that they ask for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_asks_twit(home, shell):
    script = home.ok("completion", shell)
    assert "_TWIT_COMPLETE" in script
    assert f"{shell}_complete" in script
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True, timeout=30, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_a_shell_that_we_do_not_know_is_refused(home):
    result = home.twit("completion", "tcsh")
    assert (result.exit_code, "'bash', 'zsh', 'fish'" in result.stderr) == (2, True)


@pytest.mark.parametrize(("line", "words"), [
    ("twit unf", ["unfollow"]), ("twit user pass", ["passwd"]), ("twit post --re", ["--reply-to"]), ("twit context list --conte", ["--context"]),
    ("twit -o js", ["json", "jsonl"]), ("twit completion f", ["fish"]), ("twit worker fan", ["fanout"]), ("twit nothing x", []),
])  # fmt: skip
def test_commands_options_and_their_values_are_completed(home, line, words):
    words_typed = line.split()
    environ = os.environ | home.env | {"_TWIT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words_typed) - 1)}
    command = [sys.executable, "-c", "from twit.cli import main; main()"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ, check=False)
    assert [one.partition(",")[2] for one in done.stdout.split()] == words

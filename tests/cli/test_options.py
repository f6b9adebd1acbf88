"""Global options work before and after the command, and the later one wins."""

from __future__ import annotations

import json
import re

import pytest

from twit import __version__


@pytest.mark.parametrize("args", [
    ("-o", "json", "context", "list"), ("context", "-o", "json", "list"), ("context", "list", "-o", "json"),
    ("context", "list", "--output=json"), ("-o", "csv", "context", "-o", "name", "list", "-o", "json"),
])  # fmt: skip
def test_output_may_stand_anywhere_and_the_last_one_counts(home, args):
    assert json.loads(home.ok(*args))["contexts"][0]["name"] == "local"


@pytest.mark.parametrize("args", [("--version",), ("user", "--version"), ("post", "--version")])
def test_version(home, args):
    assert home.ok(*args) == f"twit {__version__}\n"


def test_context_may_stand_after_the_command(home):
    home.local_file.write_text('[contexts.stage]\nkind = "embedded"')
    assert json.loads(home.ok("context", "show", "--context", "stage", "-o", "json"))["name"] == "stage"


def test_verbose_tells_on_stderr_what_quiet_leaves_out(town):
    many = [town.post("@ada", f"tweet {number}") for number in range(2)]
    assert len(many) == 2
    assert "more: --before" in town.twit("timeline", "@grace", "--limit", 1).stderr
    assert town.twit("timeline", "@grace", "--limit", 1, "-q").stderr == ""


def test_color_never_always_and_off_a_terminal_not(home):
    assert "\x1b[" not in home.twit("frobnicate").stderr
    assert "\x1b[" in home.twit("frobnicate", "--color", "always").stderr or "\x1b[" in home.twit("--color", "always", "frobnicate").stderr
    assert "\x1b[" not in home.twit("--color", "never", "frobnicate").stderr
    assert "\x1b[1m" in home.ok("--color", "always", "context", "list")
    assert "\x1b[" not in home.ok("context", "list")


def test_a_table_is_as_wide_as_its_rows_off_a_terminal(home):
    home.ok("user", "create", "@ada", "--email", "a@example.org", "--display-name", "x" * 100, "--password-file", home.password)
    assert re.search(rf"^1 +ada +{'x' * 100} +0", home.ok("user", "list"), re.MULTILINE)


def test_the_output_of_the_settings_holds_where_no_option_is_given(home):
    home.env["TWIT_OUTPUT"] = "name"
    assert home.ok("context", "list") == "local\nworld\n"
    assert home.ok("context", "list", "-o", "jsonl").startswith("{")

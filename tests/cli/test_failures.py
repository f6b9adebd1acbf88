"""Every failure: one message in one shape on stderr, nothing on stdout, and its exit code."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from twit.cli import contexts
from twit.cli.invocation import Invocation
from twit.core import errors
from twit.core.stores.embedded.work import SqliteWorkLog

SHAPE = re.compile(r"error: .+ \([A-Z_]+\)\n(  .+\n)*")


def failed(result, code):
    """The message, after the checks that hold for every failure."""
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    assert SHAPE.fullmatch(result.stderr), result.stderr
    return result.stderr


def test_success_is_0_and_so_is_nothing_to_do(town):
    assert "following" in town.ok("follow", "@grace", "@ada")
    assert "already following" in town.ok("follow", "@grace", "@ada")
    assert "not following" in town.ok("follow", "@ada", "@grace", "--undo")


def test_a_bug_is_1_and_its_traceback_is_in_a_file(home, monkeypatch):
    monkeypatch.setattr(contexts, "open_world", lambda *_, **__: 1 / 0)
    message = failed(home.twit("user", "list"), 1)
    assert "(BUG)" in message
    file = Path(re.search(r"The traceback is in (\S+)", message)[1])
    assert file.parent == home.folder / ".local" / "state" / "twit"
    assert "ZeroDivisionError" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_a_bug_without_a_place_for_its_file_is_still_told(home, monkeypatch):
    monkeypatch.setattr(contexts, "open_world", lambda *_, **__: 1 / 0)
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (_ for _ in ()).throw(OSError()))
    assert "ZeroDivisionError" in failed(home.twit("user", "list"), 1)


@pytest.mark.parametrize("args", [
    ("frobnicate",), ("post",), ("post", "@ada"), ("user", "list", "--limit", "many"), ("-o", "yaml", "user", "list"),
    ("serve", "--port"), ("--nothing",), ("user", "frobnicate"),
])  # fmt: skip
def test_usage_is_2_and_names_the_help_to_read(home, args):
    assert re.search(r"try:  twit( [a-z]+)* --help\n$", failed(home.twit(*args), 2))


def test_the_help_to_read_is_that_of_the_command(home):
    assert failed(home.twit("serve", "--port"), 2).endswith("try:  twit serve --help\n")
    assert failed(home.twit("user", "passwd"), 2).endswith("try:  twit user passwd --help\n")


def test_a_misspelt_command_is_told_what_was_likely_meant(home):
    assert "timeline" in failed(home.twit("timelin"), 2)


@pytest.mark.parametrize("args", [(), ("user",), ("context",), ("export",)])
def test_a_group_alone_shows_its_help_on_stderr(home, args):
    result = home.twit(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Commands:" in result.stderr or "People:" in result.stderr


def test_wrong_settings_are_2_with_file_and_line(home):
    home.local_file.write_text("colour = 1\n")
    message = failed(home.twit("user", "list"), 2)
    assert message.startswith("error: ./twit.toml:1: unknown setting colour (SETTINGS)\n")
    assert home.twit("--help").exit_code == 0


def test_an_unknown_context_is_2_and_says_who_asked_for_it(home):
    assert "(from --context)" in failed(home.twit("--context", "prod", "user", "list"), 2)
    home.env["TWIT_CONTEXT"] = "prod"
    assert "(from TWIT_CONTEXT)" in failed(home.twit("user", "list"), 2)


def test_refused_is_3(town):
    assert "no user @nobody" in failed(town.twit("timeline", "@nobody"), 3)
    assert "NOT_FOUND" in failed(town.twit("tweet", 99), 3)
    town.ok("block", "@ada", "@grace")
    failed(town.twit("follow", "@grace", "@ada"), 3)


@pytest.mark.parametrize(("kind", "extra"), [("live", "twit[live]"), ("simulated", "twit[simulate]")])
def test_worlds_that_this_build_does_not_have_are_3_and_name_their_extra(home, kind, extra, monkeypatch):
    for module in ("twit.simulate.world.people", "redis"):  # as where neither numba nor a driver is installed
        monkeypatch.setitem(sys.modules, module, None)
    home.local_file.write_text(f'[contexts.far]\nkind = "{kind}"')
    for args in (("user", "list"), ("serve",), ("context", "check")):
        assert extra in failed(home.twit("--context", "far", *args), 3)


def test_the_answer_no_is_4(home, monkeypatch):
    async def unwell(_self):
        return {"database": "ok", "disk": "full"}

    home.ok("user", "list")
    monkeypatch.setattr("twit.core.stores.embedded.EmbeddedHealth.check", unwell)
    result = home.twit("context", "check")
    assert (result.exit_code, "✗ disk" in result.stdout, "CHECK_FAILED" in result.stderr) == (4, True, True)


def test_a_store_that_does_not_carry_it_is_5(home):
    home.data.mkdir()
    (home.data / "twit.db").write_bytes(b"not a database, and long enough to be told apart from an empty file" * 20)
    assert "STORE_CORRUPT" in failed(home.twit("user", "list"), 5)


def test_a_database_of_a_newer_build_is_5(home):
    home.ok("user", "list")
    with sqlite3.connect(home.data / "twit.db") as database:
        database.execute("PRAGMA user_version = 999")
    assert "STORE_CORRUPT" in failed(home.twit("user", "list"), 5)


def test_checking_a_context_makes_nothing(home):
    failed(home.twit("context", "check"), 5)
    assert not home.data.exists()


def until_read(pipe):
    """Return when whoever holds the other end has taken something out: it waits for the rest of its password now."""
    os.set_blocking(pipe, False)
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4_096)
    os.write(pipe, b"p" * 4_096)
    assert select.select([], [pipe], [], 60)[1]
    os.set_blocking(pipe, True)


def test_interrupted_before_anything_was_written_is_130(home):
    process = home.process("user", "create", "@ada", "--email", "ada@example.org", "--password-file", "-", "-v")
    until_read(process.stdin.fileno())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "nothing was written" in err
    assert home.ok("user", "list") == ""


def test_interrupted_during_a_write_it_is_finished_and_told_as_75(home, monkeypatch):
    monkeypatch.setenv("TWIT_DATA", str(home.data))

    async def act(world):
        os.kill(os.getpid(), signal.SIGINT)
        await world.twit.sign_up("ada", "ada@example.org", "correct horse")

    with pytest.raises((errors.Stopped, KeyboardInterrupt)) as caught:
        contexts.perform(Invocation(), act, writes=True)
    assert isinstance(caught.value, errors.Stopped)
    assert (caught.value.exit_code, "--until-idle" in caught.value.try_) == (75, True)
    assert home.ok("user", "list", "-o", "name") == "ada\n"


def test_interrupted_while_it_reads_it_is_not_stopped_but_interrupted(home, monkeypatch):
    monkeypatch.setenv("TWIT_DATA", str(home.data))

    async def act(world):
        os.kill(os.getpid(), signal.SIGINT)
        await world.clock.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        contexts.perform(Invocation(), act)


def test_a_reader_who_has_gone_ends_a_command_quietly(town):
    for number in range(3):
        town.post("@ada", f"tweet {number}")
    process = town.process("export", "tweets")
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_the_codes_of_a_shell(home):
    home.shell("user", "create", "@ada", "--email", "ada@example.org", "--password-file", "-", input="correct horse\n")
    assert home.shell("user", "show", "@ada", "-o", "name")[:2] == (0, "ada\n")
    assert home.shell("user", "show")[0] == 2
    assert home.shell("user", "show", "@nobody")[0] == 3


def test_json_on_stdout_stays_json_when_others_warn(town):
    town.env["TWIT_CONTEX"] = "x"
    result = town.twit("user", "show", "@ada", "-o", "json")
    assert json.loads(result.stdout)["username"] == "ada"
    assert "warning:" in result.stderr


def test_what_can_be_restarted_stops_in_the_middle_with_75(home, monkeypatch):
    monkeypatch.setenv("TWIT_DATA", str(home.data))

    async def act(world):
        await world.twit.sign_up("ada", "ada@example.org", "correct horse")
        os.kill(os.getpid(), signal.SIGINT)
        await world.clock.sleep(60)

    with pytest.raises((errors.Stopped, KeyboardInterrupt)) as caught:
        contexts.perform(Invocation(), act, writes=True, restartable=True)
    assert isinstance(caught.value, errors.Stopped)
    assert (caught.value.exit_code, caught.value.try_) == (75, "twit … again")


def test_what_can_be_restarted_and_wrote_nothing_was_merely_interrupted(home, monkeypatch):
    monkeypatch.setenv("TWIT_DATA", str(home.data))

    async def act(world):
        os.kill(os.getpid(), signal.SIGINT)
        await world.clock.sleep(60)

    with pytest.raises((errors.Stopped, KeyboardInterrupt)) as caught:
        contexts.perform(Invocation(), act, writes=True, restartable=True)
    assert isinstance(caught.value, KeyboardInterrupt)


def test_a_command_that_is_done_is_done_though_its_events_cannot_be_handled_now(town, monkeypatch):
    async def full(*_):
        raise errors.StoreFull("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(SqliteWorkLog, "advance", full)
        result = town.twit("post", "@ada", "on the last page", "-o", "name")
    assert result.exit_code == 0
    assert "left to whoever consumes next: database or disk is full" in result.stderr
    assert "fanout" in town.ok("ops", "lag")
    assert town.twit("ops", "lag", "--wait", "0s").exit_code == 4
    assert town.shell("worker", "--until-idle")[0] == 0
    assert town.twit("ops", "lag", "--wait", "0s").exit_code == 0
    assert [tweet["text"] for tweet in json.loads(town.ok("timeline", "@grace", "-o", "json"))["tweets"]] == ["on the last page"]

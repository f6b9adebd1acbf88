"""user, follow, block, mute: people on the command line."""

from __future__ import annotations

import json
import os
import pty
import sys

import pytest


def read(home, *args):
    return json.loads(home.ok(*args, "-o", "json"))


def test_an_account_is_made_shown_and_listed(home):
    made = read(home, "user", "create", "@ada", "--email", "ada@example.org", "--display-name", "Ada L.", "--password-file", home.password)
    assert (made["id"], made["username"], made["display_name"], made["email"], made["status"]) == ("1", "ada", "Ada L.", "ada@example.org", "active")
    assert read(home, "user", "show", "@ADA") == read(home, "user", "show", "1") == made
    assert read(home, "user", "list") == {"users": [made]}
    assert "e-mail    ada@example.org" in home.ok("user", "show", "ada")


def test_a_new_account_shows_a_token_only_where_asked(home):
    plain = read(home, "user", "create", "@ada", "--email", "ada@example.org", "--password-file", home.password)
    asked = read(home, "user", "create", "@grace", "--email", "grace@example.org", "--password-file", home.password, "--token")
    assert "token" not in plain
    assert len(asked["token"]) == 43


def test_a_name_or_address_that_is_taken_is_refused(town):
    again = ("user", "create", "@ADA", "--email", "new@example.org", "--password-file", town.password)
    assert "USERNAME_TAKEN" in town.twit(*again).stderr
    assert town.twit(*again).exit_code == 3
    assert town.twit("user", "create", "@new", "--email", "Ada@example.org", "--password-file", town.password).exit_code == 3


def test_several_are_shown_in_the_order_asked(town):
    assert town.ok("user", "show", "@grace", "@ada", "-o", "name") == "grace\nada\n"


def test_a_list_is_paged_by_id(town):
    first = town.twit("user", "list", "--limit", 1)
    assert "ada" in first.stdout
    assert "more: --after 1" in first.stderr
    assert town.ok("user", "list", "--limit", 1, "--after", 1, "-o", "name") == "grace\n"
    assert town.ok("user", "list", "--after", 2) == ""


def test_a_profile_is_changed_and_emptied(town):
    changed = read(town, "user", "set", "@ada", "--bio", "Notes", "--location", "London", "--website", "https://example.org", "--private")
    assert (changed["bio"], changed["location"], changed["website"], changed["is_private"]) == ("Notes", "London", "https://example.org", True)
    assert read(town, "user", "set", "@ada", "--bio", "", "--public")["bio"] == ""


def test_a_password_is_set_from_a_file_and_from_stdin(town):
    assert "password changed" in town.ok("user", "passwd", "@ada", "--password-file", town.password)
    assert town.twit("user", "passwd", "@ada", "--password-file", "-", input="another password\n").exit_code == 0


@pytest.mark.parametrize("content", [b"", b"short\n", b"x" * 257, b"\xff\xfe" * 20])
def test_a_password_that_does_not_hold_is_refused(town, content):
    town.password.write_bytes(content)
    assert town.twit("user", "passwd", "@ada", "--password-file", town.password).exit_code == 2


@pytest.mark.parametrize("more", [(), ("--no-input",)])
def test_off_a_terminal_nothing_is_asked_and_what_to_pass_is_named(town, more):
    result = town.twit("user", "passwd", "@ada", *more, input="typed password\ntyped password\n")
    assert result.exit_code == 2
    assert "--password-file" in result.stderr


def test_a_password_file_that_is_not_there_is_named(town):
    result = town.twit("user", "passwd", "@ada", "--password-file", "nowhere")
    assert (result.exit_code, "nowhere: No such file" in result.stderr) == (2, True)


def typed(town, *answers):
    """What a terminal shows of `twit user passwd @ada` when these lines are typed, and the exit code."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve(sys.executable, [sys.executable, "-c", "from twit.cli import main; main()", "user", "passwd", "@ada"], os.environ | town.env)  # noqa: S606 - no shell is meant
    seen = b""
    try:
        for answer in answers:
            while not seen.endswith(b": "):
                seen += os.read(terminal, 1_000)
            os.write(terminal, answer)
            seen += b"|"
        while chunk := os.read(terminal, 1_000):
            seen += chunk
    except OSError:  # Linux says EIO at the end of a terminal
        pass
    os.close(terminal)
    return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_on_a_terminal_a_password_is_asked_for_twice_without_echo(town):
    seen, code = typed(town, b"hidden password\n", b"hidden password\n")
    assert code == 0
    assert "Password for @ada" in seen
    assert "password changed" in seen
    assert "hidden" not in seen


def test_ctrl_c_at_the_question_is_130(town):
    seen, code = typed(town, b"\x03")
    assert code == 130
    assert "nothing was written" in seen


def test_a_deactivated_account_is_seen_by_operators_alone(town):
    assert read(town, "user", "deactivate", "@ada") == {"user": "ada", "status": "deactivated", "changed": True}
    assert "already deactivated" in town.ok("user", "deactivate", "@ada")
    assert read(town, "user", "show", "@ada")["status"] == "deactivated"
    assert town.twit("timeline", "@ada", "--user").exit_code == 3
    assert town.twit("post", "@ada", "still here?").exit_code == 3


def test_following_and_its_undoing_say_what_stands(town):
    assert town.ok("follow", "@ada", "@grace") == "@ada  following  @grace\n"
    assert town.ok("follow", "@ada", "@grace") == "@ada  already following  @grace\n"
    assert read(town, "follow", "@ada", "@grace", "--undo") == {"user": "ada", "target": "grace", "status": "unfollowed"}
    assert read(town, "unfollow", "@ada", "@grace")["status"] == "not_following"


def test_retweets_can_be_switched_off(town):
    town.settle_in("linus")
    liked = town.post("@linus", "kernel")
    town.ok("follow", "@grace", "@ada", "--no-retweets")
    town.ok("retweet", "@ada", liked)
    assert town.ok("timeline", "@grace") == ""
    town.ok("follow", "@grace", "@ada", "--retweets")
    assert "retweeted" in town.ok("timeline", "@grace")


@pytest.mark.parametrize(("verb", "first", "again"), [
    ("block", "blocked", "already_blocked"), ("mute", "muted", "already_muted"),
    ("unblock", "not_blocked", "not_blocked"), ("unmute", "not_muted", "not_muted"),
])  # fmt: skip
def test_blocks_and_mutes_say_what_stands(town, verb, first, again):
    assert [read(town, verb, "@ada", "@grace")["status"] for _ in range(2)] == [first, again]


def test_a_muted_author_is_out_of_home_until_unmuted(town):
    town.post("@ada", "hello")
    town.ok("mute", "@grace", "@ada")
    assert town.ok("timeline", "@grace") == ""
    town.ok("unmute", "@grace", "@ada")
    assert "hello" in town.ok("timeline", "@grace")


def test_requests_to_a_private_account_are_listed_and_answered(town):
    town.settle_in("mallory")
    town.ok("user", "set", "@ada", "--private")
    assert read(town, "follow", "@mallory", "@ada")["status"] == "requested"
    town.ok("unfollow", "@grace", "@ada")
    town.ok("follow", "@grace", "@ada")
    asking = read(town, "user", "requests", "@ada")
    assert ([one["user"]["username"] for one in asking["requests"]], asking["has_more"]) == (["grace", "mallory"], False)
    assert read(town, "user", "requests", "@ada", "--accept", "@grace", "--reject", "@mallory")["requests"] == []
    town.post("@ada", "for followers")
    assert "for followers" in town.ok("timeline", "@grace")
    assert town.twit("user", "requests", "@ada", "--accept", "@mallory").exit_code == 3
    assert town.twit("user", "requests", "@ada", "--accept", "@grace", "--reject", "@grace").exit_code == 2

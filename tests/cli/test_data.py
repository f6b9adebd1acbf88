"""export and import users: everything out as JSON lines, people in from CSV and JSON lines."""

from __future__ import annotations

import csv
import io
import json

import pytest


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_users_are_exported_without_secrets(town):
    out = town.ok("export", "users")
    assert [one["username"] for one in lines(out)] == ["ada", "grace"]
    assert "password" not in out
    assert "argon2" not in out


def test_tweets_are_exported_by_author_without_deleted_ones(town):
    first = town.post("@ada", "first")
    town.ok("delete", "@ada", town.post("@ada", "oops"))
    reply = town.post("@grace", "second", "--reply-to", first)
    again = town.ok("retweet", "@grace", first, "-o", "name").strip()
    found = lines(town.ok("export", "tweets"))
    assert [one["tweet_id"] for one in found] == [first, again, reply]
    assert (found[1]["retweet_of_tweet_id"], found[2]["reply_to_tweet_id"], found[0]["metrics"]["retweets"]) == (first, first, 1)
    assert [one["tweet_id"] for one in lines(town.ok("export", "tweets", "@ada"))] == [first]


def test_more_tweets_than_a_page_are_exported_once_each(town, monkeypatch):
    monkeypatch.setattr("twit.cli.export.PAGE", 2)
    ids = [town.post("@ada", f"tweet {number}") for number in range(5)]
    assert town.ok("export", "tweets", "-o", "name").split() == ids[::-1]


def test_follows_are_exported_with_their_retweets_setting(town):
    town.ok("follow", "@ada", "@grace", "--no-retweets")
    assert lines(town.ok("export", "follows")) == [
        {"follower": "1", "followee": "2", "retweets": False}, {"follower": "2", "followee": "1", "retweets": True},
    ]  # fmt: skip
    assert list(csv.reader(io.StringIO(town.ok("export", "follows", "@grace", "-o", "csv")))) == [
        ["follower", "followee", "retweets"], ["2", "1", "yes"],
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["users", "tweets", "follows"])
def test_an_export_of_nothing_is_empty_in_every_format(home, kind):
    assert home.ok("export", kind) == ""
    assert json.loads(home.ok("export", kind, "-o", "json")) == []
    assert len(home.ok("export", kind, "-o", "csv").splitlines()) == 1


def imported(home, text, name="people.csv"):
    (home.work / name).write_text(text)
    result = home.twit("import", "users", name, "-o", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def test_people_come_in_from_csv_and_a_second_run_changes_nothing(home):
    text = 'username,email,display_name,bio,is_private\nada,ada@example.org,Ada,"one, two",no\n@grace,,,,yes\n'
    report, _ = imported(home, text)
    assert (report["rows"], report["created"], report["standing"], report["bad_lines"]) == (2, 2, 0, 0)
    before = home.ok("export", "users")
    assert imported(home, text)[0]["standing"] == 2
    assert home.ok("export", "users") == before
    ada, grace = lines(before)
    assert (ada["display_name"], ada["bio"], ada["is_private"]) == ("Ada", "one, two", False)
    assert (grace["username"], grace["email"], grace["is_private"]) == ("grace", "", True)


def test_what_users_exports_users_imports(town):
    town.ok("user", "set", "@ada", "--bio", "Notes", "--private")
    out = town.ok("export", "users")
    town.env["TWIT_DATA"] = str(town.folder / "copy")
    assert imported(town, out, "users.jsonl")[0]["created"] == 2
    assert [one["bio"] for one in lines(town.ok("export", "users"))] == ["Notes", ""]


def test_somebody_brought_in_can_be_given_a_password(home):
    imported(home, "username\nada\n")
    assert home.twit("user", "passwd", "@ada", "--password-file", home.password).exit_code == 0


def test_bad_lines_are_reported_by_number_and_the_rest_comes_in(home):
    text = (
        "username,email,website\nada,ada@example.org,\nbad name,,\n,,\ngrace,not an address,\nlinus,,ftp://x\n"
        "ADA,,\ntoo,few\none,too,many,fields\neve,ada@example.org,\nbob,,\n"
    )
    report, errors = imported(home, text)
    assert report["created"] == 2
    assert [one["number"] for one in report["bad"]] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert "line 3 skipped: 'bad name' cannot be a name" in errors
    assert home.ok("user", "list", "-o", "name") == "ada\nbob\n"


def test_bad_json_lines_are_reported_by_number(home):
    text = '{"username": "ada"}\n[]\n{"username": 3}\n{"username": "bob", "password": "x"}\nnonsense\n\n{"username": "eve", "is_private": "maybe"}\n'
    report, errors = imported(home, text, "users.jsonl")
    assert (report["created"], sorted(one["number"] for one in report["bad"])) == (1, [2, 3, 4, 5, 7])
    assert "unknown field 'password'" in errors


@pytest.mark.parametrize(("content", "code"), [(None, 3), (b"\xff\xfe\x00", 2), (b"name,email\nada,\n", 2), (b"", 2)])
def test_a_file_that_cannot_be_read_as_people_is_refused(home, content, code):
    if content is not None:
        (home.work / "people").write_bytes(content)
    assert home.twit("import", "users", "people").exit_code == code
    assert home.twit("import", "users", str(home.work)).exit_code == 2

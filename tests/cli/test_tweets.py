"""post, delete, like, retweet, timeline, tweet, thread: one person's tweets on the command line."""

from __future__ import annotations

import json
import re

import pytest

from twit.core.limits import Limits


def read(home, *args):
    return json.loads(home.ok(*args, "-o", "json"))


def test_a_tweet_is_posted_and_its_followers_read_it(town):
    line = town.ok("post", "@ada", "first!")
    assert re.fullmatch(r"\d+  @ada  first!  \(fan-out queued to 1 follower\)\n", line)
    assert re.fullmatch(r"\d+  @ada  first!\n", town.ok("timeline", "@grace"))


def test_json_shows_the_object_of_the_http_api(town):
    tweet = read(town, "post", "@ada", "hi #all @grace https://example.org")
    assert list(tweet) == ["tweet_id", "conversation_id", "text", "user", "created_at", "media", "metrics", "entities", "liked", "retweeted"]
    assert tweet["entities"] == {"hashtags": ["all"], "mentions": [{"id": "2", "username": "grace"}], "urls": ["https://example.org"]}
    assert read(town, "tweet", tweet["tweet_id"], "--as", "@ada") == tweet
    page = read(town, "timeline", "@grace")
    assert page == {"tweets": [tweet], "next_cursor": None, "has_more": False, "complete_back_to": "0"}


def test_a_reply_and_a_quote(town):
    first = town.post("@ada", "first")
    reply = read(town, "post", "@grace", "indeed", "--reply-to", first)
    quote = read(town, "post", "@grace", "look", "--quote", first)
    assert (reply["reply_to_tweet_id"], reply["conversation_id"]) == (first, first)
    assert quote["quote"]["text"] == "first"
    assert f"(quoting {first}  @ada  first)" in town.ok("tweet", quote["tweet_id"])


def test_text_from_stdin_and_text_that_looks_like_an_option(town):
    result = town.twit("post", "@ada", "-", "-o", "json", input="two\nlines\n")
    assert json.loads(result.stdout)["text"] == "two\nlines"
    assert "--undo" in town.ok("post", "@ada", "--", "--undo")


def test_posting_again_with_the_same_key_gives_the_first_tweet(town):
    first = town.post("@ada", "once", "--idempotency-key", "k1")
    assert town.post("@ada", "once", "--idempotency-key", "k1") == first
    assert town.twit("post", "@ada", "another", "--idempotency-key", "k1").exit_code == 3


def test_a_text_of_280_characters_fits_and_one_more_does_not(town):
    most = Limits().tweet_chars_max
    assert town.twit("post", "@ada", "x" * most).exit_code == 0
    assert town.twit("post", "@ada", "x" * (most + 1)).exit_code == 2
    town.env["TWIT_LIMITS_TWEET_CHARS_MAX"] = "3"
    assert town.twit("post", "@ada", "four").exit_code == 2


def test_a_deleted_tweet_is_gone_for_everybody(town):
    tweet_id = town.post("@ada", "oops")
    assert town.twit("delete", "@grace", tweet_id).exit_code == 3
    assert read(town, "delete", "@ada", tweet_id) == {"user": "ada", "tweet_id": tweet_id, "deleted": True, "changed": True}
    assert town.twit("tweet", tweet_id).exit_code == 3
    assert town.ok("timeline", "@grace") == ""
    assert town.twit("delete", "@ada", tweet_id).exit_code == 3


def test_likes_come_and_go_and_say_whether_they_stood(town):
    tweet_id = town.post("@ada", "good")
    assert read(town, "like", "@grace", tweet_id) == {"user": "grace", "tweet_id": tweet_id, "liked": True, "changed": True}
    assert "already likes" in town.ok("like", "@grace", tweet_id)
    assert "(1 like)" in town.ok("tweet", tweet_id)
    assert read(town, "unlike", "@grace", tweet_id) == {"user": "grace", "tweet_id": tweet_id, "liked": False, "changed": True}
    assert "did not like" in town.ok("unlike", "@grace", tweet_id)


def test_a_retweet_goes_to_the_original_and_can_be_taken_back(town):
    tweet_id = town.post("@ada", "good")
    made = read(town, "retweet", "@grace", tweet_id)
    assert (made["retweet_of"]["tweet_id"], made["user"]["username"]) == (tweet_id, "grace")
    assert read(town, "retweet", "@grace", tweet_id)["tweet_id"] == made["tweet_id"]
    assert f"retweeted {tweet_id}  @ada  good" in town.ok("timeline", "@grace", "--user")
    assert "took back" in town.ok("unretweet", "@grace", tweet_id)
    assert "had not retweeted" in town.ok("unretweet", "@grace", tweet_id)


def test_paging_by_cursor_and_by_id_gives_the_whole_sequence(town):
    ids = [town.post("@ada", f"tweet {number}") for number in range(5)][::-1]
    page = read(town, "timeline", "@grace", "--limit", 2)
    assert [one["tweet_id"] for one in page["tweets"]] == ids[:2]
    rest = read(town, "timeline", "@grace", "--before", page["next_cursor"])
    assert [one["tweet_id"] for one in rest["tweets"]] == ids[2:]
    assert town.ok("timeline", "@grace", "--before", ids[1], "-o", "name").split() == ids[2:]
    assert town.ok("timeline", "@ada", "--user", "--before", ids[3], "-o", "name").split() == ids[4:]


@pytest.mark.parametrize("limit", [0, 201, -1, 10**30, "many"])
def test_a_limit_outside_1_to_200_is_refused(town, limit):
    assert town.twit("timeline", "@grace", "--limit", limit).exit_code == 2
    assert town.twit("user", "list", "--limit", limit).exit_code == 2


@pytest.mark.parametrize("limit", [1, 200])
def test_a_limit_of_1_or_200_is_not(town, limit):
    assert town.twit("timeline", "@grace", "--limit", limit).exit_code == 0


def test_explain_says_where_each_entry_came_from_and_what_was_hidden(town):
    town.settle_in("linus")
    town.ok("follow", "@grace", "@linus")
    town.post("@linus", "muted")
    tweet_id = town.post("@ada", "seen")
    town.ok("mute", "@grace", "@linus")
    out = town.ok("timeline", "@grace", "--explain")
    assert re.search(rf"^pushed +{tweet_id}  @ada  seen$", out, re.MULTILINE)
    assert re.search(r"row complete; 2 candidates looked at, 1 shown; hidden: 1 \w+", out)
    explanation = read(town, "timeline", "@grace", "--explain")["explanation"]
    assert explanation["entries"] == [{"tweet_id": tweet_id, "sources": ["pushed"]}]
    assert sum(explanation["hidden"].values()) == 1
    assert explanation["took_us"]["total"] >= 0
    assert town.ok("timeline", "@grace", "--explain", "-o", "csv").splitlines()[1].startswith(f"pushed,{tweet_id},ada,seen,")


def test_explain_shows_a_celebrity_pulled(town):
    town.env |= {"TWIT_LIMITS_CELEBRITY_FOLLOWERS_MIN": "1", "TWIT_LIMITS_CELEBRITY_FOLLOWERS_EXIT": "1"}
    town.settle_in("linus")
    town.ok("follow", "@linus", "@ada")
    town.post("@ada", "to the many")
    assert town.ok("timeline", "@grace", "--explain").startswith("pulled ")


def test_explain_is_about_home_alone(town):
    assert town.twit("timeline", "@ada", "--user", "--explain").exit_code == 2


def test_a_thread_is_shown_from_its_beginning_with_the_tweet_marked(town):
    first = town.post("@ada", "first")
    second = town.post("@grace", "second", "--reply-to", first)
    town.post("@ada", "third", "--reply-to", second)
    lines = town.ok("thread", second).splitlines()
    assert [line[:2] for line in lines] == ["  ", "> ", "  "]
    assert [re.search("first|second|third", line)[0] for line in lines] == ["first", "second", "third"]
    thread = read(town, "thread", second)
    assert ([one["text"] for one in thread["ancestors"]], [one["text"] for one in thread["descendants"]]) == (["first"], ["third"])
    town.ok("delete", "@ada", first)
    assert f"{first}  (unavailable)" in town.ok("thread", second)
    assert read(town, "thread", second)["ancestors"] == [{"unavailable": True}]


def test_a_thread_is_paged(town):
    first = town.post("@ada", "first")
    replies = [town.post("@grace", f"reply {number}", "--reply-to", first) for number in range(3)]
    page = read(town, "thread", first, "--limit", 2)
    assert (page["has_more"], len(page["descendants"])) == (True, 2)
    rest = read(town, "thread", first, "--after", page["next_cursor"])
    assert [one["tweet_id"] for one in rest["descendants"]] == replies[2:]


def test_a_private_tweet_is_seen_with_a_followers_eyes_only(town):
    town.ok("user", "set", "@ada", "--private")
    tweet_id = town.post("@ada", "for followers")
    assert town.twit("tweet", tweet_id).exit_code == 3
    assert "for followers" in town.ok("tweet", tweet_id, "--as", "@grace")
    assert "for followers" in town.ok("thread", tweet_id, "--as", "@grace")


def test_a_tweet_cannot_drive_the_terminal_of_who_reads_it(town):
    assert town.twit("post", "@ada", "\x1b]0;title\x07").exit_code == 2
    tweet = read(town, "post", "@ada", "turned \u202e around")
    assert tweet["text"] == "turned \u202e around"
    assert "\u202e" not in town.ok("timeline", "@grace")

"""Tweets over HTTP: what clients send and what they get."""

from __future__ import annotations

import pytest


async def test_a_posted_tweet_comes_back_in_the_documented_shape(api):
    ann, _bob = await api.join_all("ann bob")
    answer = await api.post("/tweets", ann, json={"text": "hi @bob #first https://example.com/a"})
    assert answer.status_code == 201
    tweet = answer.json()
    assert answer.headers["location"] == f"/api/v1/tweets/{tweet['tweet_id']}"
    assert tweet == {
        "tweet_id": tweet["tweet_id"],
        "conversation_id": tweet["tweet_id"],
        "text": "hi @bob #first https://example.com/a",
        "user": {"id": str(ann.id), "username": "ann", "display_name": "ann", "is_verified": False},
        "created_at": "2027-01-15T08:00:00Z",
        "media": [],
        "metrics": {"likes": 0, "retweets": 0, "replies": 0, "quotes": 0},
        "entities": {"hashtags": ["first"], "mentions": [{"id": "2", "username": "bob"}], "urls": ["https://example.com/a"]},
        "liked": False,
        "retweeted": False,
    }
    assert tweet["tweet_id"].isdigit()


async def test_everybody_reads_a_public_tweet_by_its_id(api):
    ann, bob = await api.join_all("ann bob")
    tweet_id = await api.tweet(ann, "hello")
    for who in (ann, bob, None):
        answer = await api.get(f"/tweets/{tweet_id}", who)
        assert (answer.status_code, answer.json()["text"]) == (200, "hello")


async def test_a_reply_knows_its_parent_and_its_thread(api):
    ann, bob = await api.join_all("ann bob")
    first = await api.tweet(ann, "first")
    reply = await api.tweet(bob, "second", reply_to_tweet_id=first)
    tweet = (await api.get(f"/tweets/{reply}", bob)).json()
    assert (tweet["reply_to_tweet_id"], tweet["conversation_id"]) == (first, first)
    assert (await api.get(f"/tweets/{first}")).json()["metrics"]["replies"] == 1


async def test_a_quote_carries_the_whole_quoted_tweet_until_that_is_gone(api):
    ann, bob = await api.join_all("ann bob")
    quoted = await api.tweet(ann, "wise words")
    quote = await api.tweet(bob, "so true", quote_tweet_id=quoted)
    assert (await api.get(f"/tweets/{quote}")).json()["quote"]["text"] == "wise words"
    await api.delete(f"/tweets/{quoted}", ann)
    assert (await api.get(f"/tweets/{quote}")).json()["quote"] == {"unavailable": True}


async def test_retweeting_with_a_comment_makes_a_quote(api):
    ann, bob = await api.join_all("ann bob")
    original = await api.tweet(ann, "wise words")
    answer = await api.post(f"/tweets/{original}/retweet", bob, json={"comment": "so true"})
    assert answer.status_code == 201
    assert (answer.json()["text"], answer.json()["quote"]["tweet_id"]) == ("so true", original)


async def test_a_retweet_has_its_own_id_and_the_original_inside_and_repeats_to_the_same_answer(api):
    ann, bob = await api.join_all("ann bob")
    original = await api.tweet(ann, "wise words")
    answers = [await api.post(f"/tweets/{original}/retweet", bob) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    first, second = (answer.json() for answer in answers)
    assert first == second
    assert first["tweet_id"] != original
    assert first["retweet_of"]["tweet_id"] == original
    assert first["retweeted"] and first["retweet_of"]["retweeted"]
    assert first["metrics"]["retweets"] == 1
    for _ in range(2):
        assert (await api.delete(f"/tweets/{original}/retweet", bob)).status_code == 204
    assert (await api.get(f"/tweets/{original}", bob)).json()["metrics"]["retweets"] == 0


async def test_liking_twice_is_liking_once_and_so_is_taking_it_back(api):
    ann, bob = await api.join_all("ann bob")
    tweet_id = await api.tweet(ann, "like me")
    for _ in range(2):
        answer = await api.post(f"/tweets/{tweet_id}/like", bob)
        assert (answer.status_code, answer.json()) == (200, {"liked": True})
    tweet = (await api.get(f"/tweets/{tweet_id}", bob)).json()
    assert (tweet["liked"], tweet["metrics"]["likes"]) == (True, 1)
    assert (await api.get(f"/tweets/{tweet_id}", ann)).json()["liked"] is False
    for _ in range(2):
        assert (await api.delete(f"/tweets/{tweet_id}/like", bob)).status_code == 204
    tweet = (await api.get(f"/tweets/{tweet_id}", bob)).json()
    assert (tweet["liked"], tweet["metrics"]["likes"]) == (False, 0)


async def test_only_the_author_deletes_and_only_once(api):
    ann, bob = await api.join_all("ann bob")
    tweet_id = await api.tweet(ann, "gone soon")
    assert (await api.delete(f"/tweets/{tweet_id}", bob)).status_code == 403
    assert (await api.delete(f"/tweets/{tweet_id}", ann)).status_code == 204
    assert (await api.get(f"/tweets/{tweet_id}")).status_code == 404
    assert (await api.delete(f"/tweets/{tweet_id}", ann)).status_code == 404


async def test_a_repeated_idempotency_key_answers_the_first_tweet_and_refuses_another_body(api):
    ann = await api.join("ann")
    key = {"Idempotency-Key": "k-1"}
    first = await api.post("/tweets", ann, json={"text": "once"}, headers=key)
    again = await api.post("/tweets", ann, json={"text": "once"}, headers=key)
    other = await api.post("/tweets", ann, json={"text": "twice"}, headers=key)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json() == again.json()
    assert len((await api.home(ann))["tweets"]) == 1


async def test_a_repeated_key_answers_gone_once_the_tweet_is_deleted(api):
    ann = await api.join("ann")
    key = {"Idempotency-Key": "k-1"}
    first = await api.post("/tweets", ann, json={"text": "once"}, headers=key)
    await api.delete(f"/tweets/{first.json()['tweet_id']}", ann)
    for _ in range(2):
        again = await api.post("/tweets", ann, json={"text": "once"}, headers=key)
        assert (again.status_code, again.json()["code"], again.json()["title"]) == (410, "GONE", "Gone")
        assert first.json()["tweet_id"] in again.json()["detail"]
    assert (await api.post("/tweets", ann, json={"text": "once"}, headers={"Idempotency-Key": "k-2"})).status_code == 201


async def test_a_repeated_key_answers_gone_once_the_retweet_is_undone_or_its_original_deleted(api):
    ann, bob = await api.join_all("ann bob")
    undone, deleted = [await api.tweet(ann, text) for text in ("one", "other")]
    paths = [f"/tweets/{original}/retweet" for original in (undone, deleted)]
    made = [await api.post(path, bob, headers={"Idempotency-Key": path[8:]}) for path in paths]
    await api.delete(paths[0], bob)
    await api.delete(f"/tweets/{deleted}", ann)
    again = [await api.post(path, bob, headers={"Idempotency-Key": path[8:]}) for path in paths]
    assert [answer.status_code for answer in made + again] == [201, 201, 410, 410]
    assert (await api.get(f"/tweets/{undone}")).json()["metrics"]["retweets"] == 0


async def test_a_key_holds_for_retweets_and_quotes_and_not_across_them(api):
    ann, bob = await api.join_all("ann bob")
    original = await api.tweet(ann, "wise words")
    path = f"/tweets/{original}/retweet"
    for comment, key in ({}, "k-1"), ({"comment": "so true"}, "x" * 128):
        answers = [await api.post(path, bob, json=comment, headers={"Idempotency-Key": key}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json()["tweet_id"] == answers[1].json()["tweet_id"]
    assert (await api.post(path, bob, json={"comment": "or not"}, headers={"Idempotency-Key": "k-1"})).status_code == 409
    counts = (await api.get(f"/tweets/{original}")).json()["metrics"]
    assert (counts["retweets"], counts["quotes"]) == (1, 1)


@pytest.mark.parametrize("key", ["", "x" * 129, "å"])
async def test_a_key_that_is_none_is_refused(api, key):
    ann = await api.join("ann")
    answer = await api.post("/tweets", ann, json={"text": "x"}, headers={"Idempotency-Key": key.encode("latin-1")})
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


async def test_the_thread_shows_ancestors_the_tweet_and_what_follows(api):
    ann, bob = await api.join_all("ann bob")
    first = await api.tweet(ann, "1")
    second = await api.tweet(bob, "2", reply_to_tweet_id=first)
    third = await api.tweet(ann, "3", reply_to_tweet_id=second)
    thread = (await api.get(f"/tweets/{second}/thread")).json()
    assert [tweet["tweet_id"] for tweet in thread["ancestors"]] == [first]
    assert thread["tweet"]["tweet_id"] == second
    assert [tweet["tweet_id"] for tweet in thread["descendants"]] == [third]
    await api.delete(f"/tweets/{first}", ann)
    assert (await api.get(f"/tweets/{second}/thread")).json()["ancestors"] == [{"unavailable": True}]


async def test_replies_likers_and_retweeters_are_pages(api):
    ann, bob, cat = await api.join_all("ann bob cat")
    tweet_id = await api.tweet(ann, "talk to me")
    replies = [await api.tweet(who, f"{who.name} says", reply_to_tweet_id=tweet_id) for who in (bob, cat)]
    for who in (bob, cat):
        await api.post(f"/tweets/{tweet_id}/like", who)
        await api.post(f"/tweets/{tweet_id}/retweet", who)
    first = (await api.get(f"/tweets/{tweet_id}/replies", params={"limit": 1})).json()
    assert ([tweet["tweet_id"] for tweet in first["tweets"]], first["has_more"]) == (replies[:1], True)
    last = (await api.get(f"/tweets/{tweet_id}/replies", params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert ([tweet["tweet_id"] for tweet in last["tweets"]], last["has_more"], last["next_cursor"]) == (replies[1:], False, None)
    for what in ("likes", "retweets"):
        page = (await api.get(f"/tweets/{tweet_id}/{what}")).json()
        assert [user["username"] for user in page["users"]] == ["cat", "bob"]
        assert set(page) == {"users", "next_cursor", "has_more"}


async def test_media_is_refused_where_none_is_stored(api):
    ann = await api.join("ann")
    answer = await api.post("/tweets", ann, json={"text": "look", "media_ids": ["m1"]})
    assert (answer.status_code, answer.json()["field"]) == (422, "media_ids")
    assert (await api.post("/tweets", ann, json={"text": "look", "media_ids": []})).status_code == 201

"""Timelines over HTTP, and that what is kept encoded never shows what an event made untrue."""

from __future__ import annotations

import asyncio

import pytest

from twit.core.model import Relation


def ids_of(page):
    return [tweet["tweet_id"] for tweet in page["tweets"]]


async def test_home_shows_followees_and_oneself_newest_first(api):
    ann, bob = await api.join_all("ann bob")
    await api.post(f"/users/{bob.id}/follow", ann)
    posted = [await api.tweet(who, f"by {who.name}") for who in (bob, ann, bob)]
    await api.settle()
    page = await api.home(ann)
    assert ids_of(page) == posted[::-1]
    assert (page["has_more"], page["next_cursor"]) == (False, None)
    assert page["complete_back_to"].isdigit()


async def test_pages_follow_each_other_without_gap_or_repeat(api):
    ann = await api.join("ann")
    posted = [await api.tweet(ann, f"number {n}") for n in range(7)]
    found, cursor = [], ""
    while True:
        page = await api.home(ann, limit=3, cursor=cursor)
        found += ids_of(page)
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]
    assert found == posted[::-1]


async def test_a_user_timeline_reads_the_same_to_all_but_for_their_own_flags(api):
    ann, bob = await api.join_all("ann bob")
    first, second = await api.tweet(ann, "one"), await api.tweet(ann, "two")
    await api.post(f"/tweets/{first}/like", bob)
    nobody, liker = [(await api.get(f"/users/{ann.id}/tweets", who)).json() for who in (None, bob)]
    assert ids_of(nobody) == ids_of(liker) == [second, first]
    assert [tweet["liked"] for tweet in liker["tweets"]] == [False, True]
    assert [tweet["liked"] for tweet in nobody["tweets"]] == [False, False]


async def test_what_a_page_says_of_a_tweet_is_what_the_tweet_says(api):
    """Fragments with flags spliced in are the bytes that encoding the view anew gives."""
    ann, bob, cat = await api.join_all("ann bob cat")
    await api.post(f"/users/{ann.id}/follow", bob)
    plain = await api.tweet(ann, "plain")
    quote = await api.tweet(ann, "quoting", quote_tweet_id=await api.tweet(cat, "quoted"))
    await api.post(f"/tweets/{quote}/retweet", ann)
    await api.post(f"/tweets/{await api.tweet(cat, 'retweeted')}/retweet", ann)
    await api.settle()
    for liked in (None, plain, quote):
        if liked:
            await api.post(f"/tweets/{liked}/like", bob)
        api.clock.advance(2)
        page = await api.home(bob)
        assert len(page["tweets"]) == 3  # the quote shows once: as itself, or as its retweet
        for tweet in page["tweets"]:
            assert (await api.get(f"/tweets/{tweet['tweet_id']}", bob)).json() == tweet


async def test_flags_are_set_in_the_retweet_the_original_and_the_quote_inside(api):
    ann, bob, cat = await api.join_all("ann bob cat")
    quoted = await api.tweet(cat, "quoted")
    quote = await api.tweet(cat, "quoting", quote_tweet_id=quoted)
    await api.post(f"/tweets/{quote}/retweet", ann)
    await api.post(f"/tweets/{quoted}/like", bob)
    (tweet,) = (await api.get(f"/users/{ann.id}/tweets", bob)).json()["tweets"]
    assert (tweet["liked"], tweet["retweet_of"]["liked"], tweet["retweet_of"]["quote"]["liked"]) == (False, False, True)
    await api.post(f"/tweets/{quote}/like", bob)
    await api.delete(f"/tweets/{quoted}/like", bob)
    api.clock.advance(2)
    (tweet,) = (await api.get(f"/users/{ann.id}/tweets", bob)).json()["tweets"]
    assert (tweet["liked"], tweet["retweet_of"]["liked"], tweet["retweet_of"]["quote"]["liked"]) == (True, True, False)


@pytest.mark.parametrize("remembered", [1, 2])
async def test_likes_and_retweets_older_than_the_caches_remember_still_show(open_api, remembered):
    api = await open_api(cached_likes_per_viewer_max=remembered)
    ann, bob = await api.join_all("ann bob")
    posted = [await api.tweet(ann, f"number {n}") for n in range(3)]
    for tweet_id in posted:
        await api.post(f"/tweets/{tweet_id}/like", bob)
        await api.post(f"/tweets/{tweet_id}/retweet", bob)
    await api.tweet(bob, "so the newest of his own is no retweet")
    fresh = await open_api(cached_likes_per_viewer_max=remembered)
    for reader in (api, fresh):
        page = (await reader.get(f"/users/{ann.id}/tweets", bob)).json()
        assert [(tweet["liked"], tweet["retweeted"]) for tweet in page["tweets"]] == [(True, True)] * 3


async def test_a_quote_is_shown_to_one_and_unavailable_to_another(api):
    ann, bob, cat = await api.join_all("ann bob cat")
    await api.tweet(ann, "quoting", quote_tweet_id=await api.tweet(cat, "quoted"))
    await api.post(f"/users/{bob.id}/block", cat)
    for who, quote in ((ann, "quoted"), (bob, None), (ann, "quoted"), (bob, None), (None, "quoted")):
        (tweet,) = (await api.get(f"/users/{ann.id}/tweets", who)).json()["tweets"]
        assert tweet["quote"].get("text") == quote
        assert (tweet["quote"] == {"unavailable": True}) is (quote is None)


async def test_a_quote_of_somebody_who_turns_private_is_unavailable_to_strangers(api):
    ann, bob, cat = await api.join_all("ann bob cat")
    await api.post(f"/users/{cat.id}/follow", bob)
    await api.tweet(ann, "quoting", quote_tweet_id=await api.tweet(cat, "quoted"))
    await api.get(f"/users/{ann.id}/tweets", bob)
    await api.patch("/users/me", cat, json={"is_private": True})
    for who, quote in ((None, None), (bob, "quoted"), (ann, None)):
        (tweet,) = (await api.get(f"/users/{ann.id}/tweets", who)).json()["tweets"]
        assert tweet["quote"].get("text") == quote


async def test_a_deleted_tweet_is_gone_from_the_next_page_and_from_quotes(api):
    ann, bob = await api.join_all("ann bob")
    gone = await api.tweet(ann, "soon gone")
    quote = await api.tweet(bob, "quoting", quote_tweet_id=gone)
    await api.post(f"/tweets/{gone}/retweet", bob)
    assert len((await api.get(f"/users/{bob.id}/tweets")).json()["tweets"]) == 2
    await api.delete(f"/tweets/{gone}", ann)
    (tweet,) = (await api.get(f"/users/{bob.id}/tweets")).json()["tweets"]
    assert (tweet["tweet_id"], tweet["quote"]) == (quote, {"unavailable": True})


async def test_a_new_name_shows_at_once_in_tweets_retweets_and_quotes(api):
    ann, bob = await api.join_all("ann bob")
    tweet_id = await api.tweet(ann, "mine")
    await api.post(f"/tweets/{tweet_id}/retweet", bob)
    await api.tweet(bob, "quoting", quote_tweet_id=tweet_id)
    path = f"/users/{bob.id}/tweets"
    await api.get(path)
    await api.patch("/users/me", ann, json={"display_name": "Ann the Great"})
    quote, retweet = (await api.get(path)).json()["tweets"]
    assert quote["quote"]["user"]["display_name"] == "Ann the Great"
    assert retweet["retweet_of"]["user"]["display_name"] == "Ann the Great"


async def test_a_deactivated_account_is_gone_at_once_and_back_whole(api):
    ann, bob = await api.join_all("ann bob")
    await api.post(f"/users/{ann.id}/follow", bob)
    tweet_id = await api.tweet(ann, "mine")
    await api.settle()
    assert ids_of(await api.home(bob)) == [tweet_id]
    assert (await api.post("/users/me/deactivate", ann)).status_code == 204
    assert ids_of(await api.home(bob)) == []
    assert (await api.get(f"/users/{ann.id}")).status_code == 404
    assert (await api.get("/users/me", ann)).status_code == 401


async def test_counts_on_pages_move_at_once_and_then_once_a_second(api):
    ann, bob, cat = await api.join_all("ann bob cat")
    tweet_id = await api.tweet(ann, "count me")

    async def likes():
        return (await api.get(f"/users/{ann.id}/tweets")).json()["tweets"][0]["metrics"]["likes"]

    assert await likes() == 0
    await api.post(f"/tweets/{tweet_id}/like", bob)
    assert await likes() == 1
    await api.post(f"/tweets/{tweet_id}/like", cat)
    assert await likes() == 1  # encoded less than a second ago
    api.clock.advance(1)
    assert await likes() == 2


async def test_replies_quotes_and_their_deletion_move_the_counts_of_their_tweet(api):
    ann, bob = await api.join_all("ann bob")
    tweet_id = await api.tweet(ann, "count me")

    async def counted():
        metrics = (await api.get(f"/users/{ann.id}/tweets")).json()["tweets"][0]["metrics"]
        api.clock.advance(2)
        return metrics["replies"], metrics["quotes"], metrics["retweets"]

    assert await counted() == (0, 0, 0)
    reply = await api.tweet(bob, "reply", reply_to_tweet_id=tweet_id)
    assert await counted() == (1, 0, 0)
    quote = await api.tweet(bob, "quote", quote_tweet_id=tweet_id)
    assert await counted() == (1, 1, 0)
    await api.post(f"/tweets/{tweet_id}/retweet", bob)
    assert await counted() == (1, 1, 1)
    await api.delete(f"/tweets/{reply}", bob)
    assert await counted() == (0, 1, 1)
    await api.delete(f"/tweets/{quote}", bob)
    assert await counted() == (0, 0, 1)


async def test_a_small_fragment_cache_answers_the_same(open_api):
    api = await open_api(cached_fragments_max=4)
    ann, bob = await api.join_all("ann bob")
    posted = [await api.tweet(ann, f"number {n}") for n in range(9)]
    await api.post(f"/tweets/{posted[3]}/like", bob)
    for _ in range(3):
        page = (await api.get(f"/users/{ann.id}/tweets", bob)).json()
        assert ids_of(page) == posted[::-1]
        assert [tweet["tweet_id"] for tweet in page["tweets"] if tweet["liked"]] == [posted[3]]
        assert len(api.site.fragments) <= 5


async def test_another_process_sees_to_it_that_nothing_stale_is_shown(open_api):
    """Two services over one folder: what the one deletes or renames, the other's next page knows."""
    here, there = await open_api(), await open_api()
    ann = await here.join("ann")
    kept, gone = await here.tweet(ann, "kept"), await here.tweet(ann, "gone")
    assert ids_of((await here.get(f"/users/{ann.id}/tweets")).json()) == [gone, kept]
    await there.delete(f"/tweets/{gone}", ann)
    await there.patch("/users/me", ann, json={"display_name": "Ann the Great"})
    (tweet,) = (await here.get(f"/users/{ann.id}/tweets")).json()["tweets"]
    assert (tweet["tweet_id"], tweet["user"]["display_name"]) == (kept, "Ann the Great")


async def test_a_page_read_while_its_author_is_renamed_is_not_kept(api):
    ann, bob, cid = await api.join_all("ann bob cid")
    await api.tweet(ann, "mine", quote_tweet_id=await api.tweet(cid, "his"))
    await api.tweet(ann, "mine too")
    counts, renamed = type(api.twit.caches).counts, []

    async def count_slowly(caches, ids):
        found = await counts(caches, ids)
        if len(renamed) < 2:
            renamed.append(f"Ann the {len(renamed)}th")
            await api.patch("/users/me", ann, json={"display_name": renamed[-1]})
        return found

    type(api.twit.caches).counts = count_slowly
    try:
        await api.get(f"/users/{ann.id}/tweets", bob)
    finally:
        type(api.twit.caches).counts = counts
    tweets = (await api.get(f"/users/{ann.id}/tweets", bob)).json()["tweets"]
    assert len(renamed) == 2
    assert [tweet["user"]["display_name"] for tweet in tweets] == renamed[-1:] * 2


async def test_a_home_page_that_stands_falls_with_what_another_process_does(open_api):
    """The very same page is answered again until a tweet of it is deleted, liked or renamed elsewhere; then the next one says so."""
    here, there = await open_api(), await open_api()
    ann = await here.join("ann")
    kept, gone = await here.tweet(ann, "kept"), await here.tweet(ann, "gone")

    async def home():
        pages = [(await asyncio.create_task(here.get("/timeline/home", ann))).json() for _ in range(3)]  # in tasks, as a server's
        assert pages[0] == pages[1] == pages[2]
        return pages[0]["tweets"]

    assert [tweet["tweet_id"] for tweet in await home()] == [gone, kept]
    await there.patch("/users/me", ann, json={"display_name": "Ann the Great"})
    assert [tweet["user"]["display_name"] for tweet in await home()] == ["Ann the Great"] * 2
    await there.delete(f"/tweets/{gone}", ann)
    assert [tweet["tweet_id"] for tweet in await home()] == [kept]
    await there.post(f"/tweets/{kept}/like", ann)
    (tweet,) = await home()
    assert (tweet["liked"], tweet["metrics"]["likes"]) == (True, 1)


async def test_muting_and_blocking_take_effect_on_the_next_page(api):
    ann, bob = await api.join_all("ann bob")
    await api.post(f"/users/{bob.id}/follow", ann)
    tweet_id = await api.tweet(bob, "hello")
    await api.settle()
    assert ids_of(await api.home(ann)) == [tweet_id]
    await api.post(f"/users/{bob.id}/mute", ann)
    assert ids_of(await api.home(ann)) == []
    await api.delete(f"/users/{bob.id}/mute", ann)
    assert ids_of(await api.home(ann)) == [tweet_id]
    await api.post(f"/users/{ann.id}/block", bob)
    assert ids_of(await api.home(ann)) == []
    assert (await api.get(f"/users/{bob.id}/tweets", ann)).status_code in (200, 404)
    assert (await api.twit.related(Relation.BLOCK, bob.id, "", 10)).users[0].user_id == ann.id

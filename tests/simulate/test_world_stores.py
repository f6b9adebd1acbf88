"""The world's stores over a table of computed people: what was done here wins over what is computed, and counts add up."""

from __future__ import annotations

import numpy as np
import pytest
from world_bases import TabledBase

from twit.core.clock import ManualClock
from twit.core.entries import AuthorMode, FanoutMode, RowState
from twit.core.errors import Conflict, StoreCorrupt, Unsupported
from twit.core.events import Event, EventKind
from twit.core.ids import id_at
from twit.core.limits import Limits
from twit.core.model import (
    AccountStatus,
    FollowStatus,
    NewAccount,
    NewFollow,
    NewTweet,
    PutStatus,
    Tweet,
    TweetCounts,
    UserCounts,
)
from twit.core.stores.embedded.overlay import FIRST_SEQUENCE
from twit.simulate.world.stores import open_world_stores
from twit.simulate.world.turns import TURN_MS, Turns, WorldClock

NOW = 1_800_000_000_000
ADA, BOB, CYD, DAN, EVE = range(1, 6)


def said(author, ms, number=0, **more):
    tweet_id = id_at(ms, 1_000, number)
    return Tweet(tweet_id=tweet_id, author_id=author, text="computed", created_ms=ms, conversation_id=tweet_id, **more)


@pytest.fixture
def base():
    """Ada and Bob follow each other, everybody follows Cyd; Cyd and Bob have tweeted, Dan retweeted Cyd."""
    cyd = [said(CYD, NOW - 10_000 * n) for n in range(1, 6)]
    dan = said(DAN, NOW - 5_000, retweet_of=cyd[2].tweet_id, retweet_of_author=CYD)
    edges = [(ADA, BOB), (BOB, ADA), (ADA, CYD), (BOB, CYD), (DAN, CYD), (EVE, CYD)]
    return TabledBase(5, edges, [*cyd, said(BOB, NOW - 7_000), dan], {cyd[0].tweet_id: TweetCounts(likes=9, retweets=3, replies=2)})


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
async def world(base, clock, tmp_path):
    stores = await open_world_stores(base, Limits(celebrity_followers_min=3, celebrity_followers_exit=2), clock, data=tmp_path, inline=True, durable=False)
    yield stores
    await stores.health.close()


def told(kind, actor, target=0, tweet=0):
    return (Event(kind=kind, key=actor, actor=actor, target=target, tweet=tweet, at_ms=NOW),)


async def unfollow(world, follower, followee):
    (done,) = await world.graph.unfollow([(follower, followee)], [told(EventKind.UNFOLLOWED, follower, followee)])
    return done


async def follow(world, follower, followee, *, retweets=True):
    new = NewFollow(follower=follower, followee=followee, retweets=retweets, events=told(EventKind.FOLLOWED, follower, followee))
    (outcome,) = await world.graph.follow([new], 5_000)
    return outcome


async def following(world, user):
    return (await world.graph.following((user,)))[0]


async def walk(world, user, limit):
    found, cursor = [], 0
    while True:
        ids, cursor = await world.graph.followers(user, cursor, limit)
        found += ids.tolist()
        if not cursor:
            return found


async def by(world, author, **more):
    (entries,) = await world.tweets.by_authors((author,), **{"limit": 10, **more})
    return entries[:, 0].tolist()


async def sign_up(world, name="frances"):
    (user,) = await world.accounts.create([NewAccount(username=name, email="f@example.org", password_hash="x", display_name="", created_ms=NOW)])
    return user


# people
async def test_accounts_made_here_come_after_the_computed_ones(world):
    frances = await sign_up(world)
    assert (frances.user_id, await world.accounts.count()) == (6, 6)
    assert [user.username for user in await world.accounts.page(3, 10)] == ["u4", "u5", "frances"]
    assert await world.accounts.ids_of(("U2", "frances", "u6", "nobody")) == [2, 6, 0, 0]


async def test_names_of_computed_people_are_taken(world):
    with pytest.raises(Conflict):
        await sign_up(world, "U3")


async def test_a_profile_changed_here_wins_and_the_others_stay_computed(world):
    (ada, bob) = await world.accounts.get((ADA, BOB))
    changed = type(ada)(**{name: getattr(ada, name) for name in ada.__struct_fields__} | {"bio": "here"})
    await world.accounts.update(changed, told(EventKind.PROFILE_CHANGED, ADA), password_hash="secret")
    assert await world.accounts.get((ADA, BOB, 99)) == [changed, bob, None]
    assert (await world.accounts.credentials(ADA)).password_hash == "secret"
    assert (await world.accounts.credentials(BOB)).password_hash == ""
    assert await world.log.tail() == 1


async def test_who_deactivates_is_found_without_looking_at_everybody(world):
    (ada,) = await world.accounts.get((ADA,))
    gone = type(ada)(**{name: getattr(ada, name) for name in ada.__struct_fields__} | {"status": AccountStatus.DEACTIVATED, "deactivated_ms": NOW})
    await world.accounts.update(gone, ())
    assert [user.user_id for user in await world.accounts.deactivated(NOW + 1, 10)] == [ADA]


# follows
async def test_an_end_to_a_computed_follow_is_recorded_once_and_counts_on_both_sides(world):
    assert [await unfollow(world, ADA, CYD) for _ in range(2)] == [True, False]
    assert (await following(world, ADA)).followees == (BOB,)
    assert await world.graph.is_following([(ADA, CYD), (ADA, BOB), (CYD, ADA)]) == [False, True, False]
    assert await walk(world, CYD, 2) == [ADA, BOB, DAN, EVE]  # the list follows by the worker
    (carried,) = await world.graph.carry([(ADA, CYD)])
    assert (carried.followers, carried.added, carried.removed) == (3, False, True)
    assert await walk(world, CYD, 2) == [BOB, DAN, EVE]
    assert await world.accounts.counts((ADA, CYD)) == [UserCounts(1, 1, 0), UserCounts(3, 0, 5)]
    assert await world.log.tail() == 1


async def test_a_follow_made_again_is_a_new_one_at_the_end(world):
    await unfollow(world, ADA, BOB)
    await world.graph.carry([(ADA, BOB)])
    again = await follow(world, ADA, BOB)
    assert again.status is FollowStatus.CREATED and again.sequence > FIRST_SEQUENCE
    assert (await following(world, ADA)).followees == (CYD, BOB)
    assert (await following(world, ADA)).unmerged == ((BOB, again.sequence),)
    assert (await world.graph.carry([(ADA, BOB)]))[0].added
    assert await walk(world, BOB, 1) == [ADA]


async def test_a_follow_ended_and_made_again_before_the_worker_came_stays_where_it_was(world):
    await unfollow(world, ADA, CYD)
    await follow(world, ADA, CYD)
    (carried,) = await world.graph.carry([(ADA, CYD)])
    assert (carried.followers, carried.added, carried.removed) == (4, False, False)
    assert await walk(world, CYD, 3) == [ADA, BOB, DAN, EVE]


async def test_retweets_of_a_computed_followee_are_switched_off_and_on(world):
    assert (await follow(world, ADA, CYD)).status is FollowStatus.UNCHANGED
    off = await follow(world, ADA, CYD, retweets=False)
    assert (off.status, off.sequence) == (FollowStatus.CHANGED, 2)
    assert (await following(world, ADA)).without_retweets == {CYD}
    assert (await follow(world, ADA, CYD)).status is FollowStatus.CHANGED
    assert (await following(world, ADA)).without_retweets == frozenset()


async def test_following_is_full_by_computed_and_made_follows_together(world):
    new = NewFollow(follower=ADA, followee=DAN)
    assert (await world.graph.follow([new], 2))[0].status is FollowStatus.FULL
    await unfollow(world, ADA, CYD)
    assert (await world.graph.follow([new], 2))[0].status is FollowStatus.CREATED


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
async def test_pages_of_people_meet_each_once_newest_first(world, limit):
    frances = (await sign_up(world)).user_id
    await unfollow(world, BOB, CYD)
    for follower in (frances, BOB):
        await world.graph.carry([(follower, CYD)])
        await follow(world, follower, CYD)
        await world.graph.carry([(follower, CYD)])
    await follow(world, ADA, EVE)
    for page, user, due in ((world.graph.followers_page, CYD, [BOB, frances, EVE, DAN, ADA]), (world.graph.following_page, ADA, [EVE, CYD, BOB])):
        found, before = [], 0
        while edges := await page(user, before, limit):
            assert len(edges) <= limit
            found += edges
            before = edges[-1].sequence
        assert [edge.user_id for edge in found] == due
    assert await walk(world, CYD, limit) == [ADA, DAN, EVE, frances, BOB]


# tweets
async def test_a_computed_tweet_is_read_buried_and_uncounted(world, base):
    newest = base.said[0]
    assert (await world.tweets.get((newest.tweet_id, 5)))[0] == newest
    for due in (True, False):
        assert await world.tweets.delete((newest.tweet_id,), [told(EventKind.TWEET_DELETED, CYD, tweet=newest.tweet_id)]) == [due]
    (stone,) = await world.tweets.get((newest.tweet_id,))
    assert stone.deleted and stone.text == ""
    assert await by(world, CYD, limit=2) == [base.said[1].tweet_id, base.said[2].tweet_id]
    assert (await world.accounts.counts((CYD,)))[0].tweets == 4
    assert await world.log.tail() == 1


async def test_tweets_made_here_stand_among_the_computed_ones(world, base):
    mine = said(CYD, NOW - 15_000, 7)
    await world.tweets.put([NewTweet(tweet=mine)])
    assert (await by(world, CYD))[:3] == [base.said[0].tweet_id, mine.tweet_id, base.said[1].tweet_id]
    assert (await by(world, CYD, limit=1, before=base.said[0].tweet_id)) == [mine.tweet_id]
    assert (await by(world, CYD, after=mine.tweet_id)) == [base.said[0].tweet_id]


async def test_a_computed_retweet_stands_for_one_made_again_until_it_is_undone(world, base):
    shared, retweet = base.said[2], base.said[-1]
    again = NewTweet(tweet=said(DAN, NOW, retweet_of=shared.tweet_id, retweet_of_author=CYD))
    assert await world.tweets.retweet_ids(DAN, (shared.tweet_id, 5)) == [retweet.tweet_id, 0]
    (outcome,) = await world.tweets.put([again])
    assert (outcome.status, outcome.tweet_id) == (PutStatus.REPEATED, retweet.tweet_id)
    await world.tweets.delete((retweet.tweet_id,), [()])
    assert (await world.engagement.counts((shared.tweet_id,)))[0].retweets == 0
    assert (await world.engagement.recount((shared.tweet_id,)))[0].retweets == 0
    assert (await world.tweets.put([again]))[0].status is PutStatus.STORED
    assert (await world.engagement.counts((shared.tweet_id,)))[0].retweets == 1


async def test_likes_add_to_the_computed_number_and_who_gave_those_is_refused_with_it(world, base):
    famous, quiet = base.said[0].tweet_id, base.said[1].tweet_id
    assert await world.engagement.like([(ADA, famous), (ADA, quiet)], NOW, [(), ()]) == [True, True]
    assert [one.likes for one in await world.engagement.counts((famous, quiet))] == [10, 1]
    assert [one.likes for one in await world.engagement.recount((famous, quiet))] == [10, 1]
    assert [edge.user_id for edge in await world.engagement.likers_page(quiet, 0, 10)] == [ADA]
    with pytest.raises(Unsupported, match="9 people"):
        await world.engagement.likers_page(famous, 0, 10)
    with pytest.raises(Unsupported, match="3 people"):
        await world.tweets.retweets(famous, 0, 10)


# modes
async def test_whoever_is_famous_by_computation_is_pulled_until_fanout_decides_otherwise(world):
    modes = await world.modes.pulled()
    assert CYD in modes and modes[CYD] == AuthorMode(FanoutMode.PULL) and BOB not in modes and list(modes) == [CYD]
    await world.modes.put(CYD, AuthorMode(FanoutMode.PUSH, 5), ())
    await world.modes.put(BOB, AuthorMode(FanoutMode.PULL, 6), ())
    assert list(await world.modes.pulled()) == [BOB]
    assert [one.mode for one in await world.modes.get((ADA, BOB, CYD))] == [FanoutMode.PUSH, FanoutMode.PULL, FanoutMode.PUSH]


# cached timelines
async def built(world, reader, clock):
    (mark,) = await world.timelines.begin((reader,), clock.now_ms())
    (entries,) = await world.tweets.by_authors((BOB,), limit=10)
    assert await world.timelines.replace(reader, entries, 0, mark, clock.now_ms())


async def shown(world, reader, clock):
    row = await world.timelines.read(reader, 0, 10, clock.now_ms())
    return row, row.entries[:, 0].tolist()


async def test_a_row_holds_what_pushed_followees_said_since_without_an_event(world, base, clock):
    await built(world, ADA, clock)
    before, ids = await shown(world, ADA, clock)
    late, hers, famous = (said(author, NOW + 10, 1) for author in (BOB, ADA, CYD))
    base.said += [late, hers, famous]
    assert world.timelines.unchanged(ADA, before, clock.now_ms())
    clock.advance(2 * TURN_MS / 1_000)
    assert not world.timelines.unchanged(ADA, before, clock.now_ms())
    _, after = await shown(world, ADA, clock)
    assert set(after) == {*ids, late.tweet_id, hers.tweet_id}  # Cyd is pulled
    assert set(after) == set((await world.timelines.raw(ADA))[:, 0].tolist())


async def test_another_process_and_a_touch_bring_a_row_up_to_date_too(world, base, clock, tmp_path):
    await built(world, ADA, clock)
    base.said.append(late := said(BOB, NOW + 10, 1))
    clock.advance(60)
    await world.timelines.touch(np.array([ADA]), clock.now_ms())
    other = await open_world_stores(base, Limits(), clock, data=tmp_path, inline=True, durable=False)
    assert late.tweet_id in (await shown(other, ADA, clock))[1]
    await other.health.close()


async def test_what_was_buried_is_not_delivered_late(world, base, clock):
    await built(world, ADA, clock)
    base.said.append(late := said(BOB, NOW + 10, 1))
    clock.advance(60)
    await world.tweets.delete((late.tweet_id,), [()])
    assert late.tweet_id not in (await shown(world, ADA, clock))[1]


async def test_a_row_too_far_behind_is_given_up(base, clock, tmp_path):
    world = await open_world_stores(base, Limits(timeline_entries_max=3), clock, data=tmp_path, inline=True, durable=False)
    await built(world, ADA, clock)
    base.said += [said(BOB, NOW + 10, n) for n in range(1, 4)]
    clock.advance(60)
    assert (await shown(world, ADA, clock))[0].state is RowState.ABSENT
    await world.health.close()


# the world
async def test_what_is_kept_belongs_to_one_population(base, clock, tmp_path):
    first = await open_world_stores(base, Limits(), clock, data=tmp_path)
    await first.health.close()
    base.name = "another"
    with pytest.raises(StoreCorrupt, match="a table"):
        await open_world_stores(base, Limits(), clock, data=tmp_path)


async def test_a_world_in_memory_leaves_nothing_behind(base, clock, tmp_path, monkeypatch):
    monkeypatch.setattr("twit.simulate.world.stores.MEMORY", tmp_path)
    stores = await open_world_stores(base, Limits(), clock)
    await sign_up(stores)
    assert len(list(tmp_path.iterdir())) == 1
    await stores.health.close()
    assert list(tmp_path.iterdir()) == []


async def test_the_worlds_clock_runs_at_its_speed_and_turns_last_as_long_for_who_watches():
    wall = ManualClock(NOW)
    clock = WorldClock(wall, 1_500_000_000_000, 60)
    turns = Turns(clock, 60)
    turn = turns.turn()
    await clock.sleep(30)
    assert (clock.now_ms() - 1_500_000_000_000, clock.monotonic_us(), wall.now_ms() - NOW) == (30_000, 30_000_000, 500)
    await clock.sleep(60)
    assert turns.turn() in {turn + 1, turn + 2} and turns.now_ms() <= clock.now_ms()

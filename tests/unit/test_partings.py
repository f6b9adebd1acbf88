"""Someone leaves while fan-out, in another process, is pushing to him: what came after him is taken out behind it."""

from __future__ import annotations

import asyncio

from builders import make_friends, make_users, row_ids, settle


async def process(open_twit, **limits):
    """One more over the same stores; returns its service, its social and its fan-out consumer."""
    twit = await open_twit(**limits)
    consumers = [twit.workers.consumer(group) for group in ("social", "fanout")]
    for consumer in consumers:
        await consumer.open()
    return twit, *consumers


async def finish(*consumers):
    """Step them in turns until nothing is left."""
    busy = True
    while busy:
        busy = False
        for consumer in consumers:
            while await consumer.step():
                busy = True
    for consumer in consumers:
        await consumer.close()


def holding(twit, monkeypatch):
    """Pushes of this process stand still: (began, go on)."""
    began, go_on = asyncio.Event(), asyncio.Event()
    for name in ("push", "push_each"):
        push = getattr(twit.stores.timelines, name)

        async def held(*args, push=push, **more):
            if not args[0].size or len(args[1]) < 2:  # his own row, by who posts
                return await push(*args, **more)
            began.set()
            await go_on.wait()
            return await push(*args, **more)

        monkeypatch.setattr(twit.stores.timelines, name, held)
    return began, go_on


async def test_a_push_under_way_to_who_has_left_is_taken_out_again(open_twit, clock, monkeypatch):
    here, _, fanout = await process(open_twit)
    ada, bob, cleo = await make_users(here, "ada bob cleo")
    await make_friends(here, (ada, bob), (cleo, bob))
    there = (await process(open_twit))
    await fanout.open()
    began, go_on = holding(here, monkeypatch)
    tweet = await here.post(bob, "while ada leaves")
    pushing = asyncio.ensure_future(fanout.step())
    await began.wait()
    await there[0].unfollow(ada, bob)
    await finish(there[1])
    go_on.set()
    await pushing
    assert tweet.tweet_id in await row_ids(here, clock, ada)  # or this test shows nothing
    await finish(fanout)
    assert await row_ids(here, clock, ada) == []
    assert await row_ids(here, clock, cleo) == [tweet.tweet_id]


async def test_who_comes_back_meanwhile_loses_nothing(open_twit, clock, monkeypatch):
    here, _, fanout = await process(open_twit)
    ada, bob = await make_users(here, "ada bob")
    await make_friends(here, (ada, bob))
    kept = await here.post(bob, "kept")
    await settle(here)
    there = await process(open_twit)
    await there[0].unfollow(ada, bob)
    await finish(there[1])
    await fanout.open()
    remove = here.stores.timelines.remove

    async def coming_back(ids, readers):
        monkeypatch.setattr(here.stores.timelines, "remove", remove)
        await there[0].follow(ada, bob)
        await finish(there[1])
        return await remove([kept.tweet_id], readers)

    monkeypatch.setattr(here.stores.timelines, "remove", coming_back)
    await finish(fanout)
    page = (await here.home_timeline(ada, "", 50)).page
    assert [one.tweet_id for one in page.tweets] == [kept.tweet_id]


async def test_a_parent_is_not_pushed_to_who_has_left_by_a_list_that_was_kept(open_twit, clock):
    here, social, fanout = await process(open_twit, fanout_batch=1)
    bob, cleo, *fans, ada = await make_users(here, "bob cleo " + " ".join(f"f{n}" for n in range(40)) + " ada")
    await make_friends(here, *((fan, bob) for fan in fans), (ada, bob), (ada, cleo), (cleo, bob))
    await fanout.open()
    parent = await here.post(bob, "a large fan-out begins")
    await fanout.step()
    first = await here.post(cleo, "an answer", reply_to=parent.tweet_id)
    await fanout.step()
    assert await row_ids(here, clock, ada) == [first.tweet_id, parent.tweet_id]
    await social.open()
    await here.unfollow(ada, bob)
    await finish(social)
    second = await here.post(cleo, "another", reply_to=parent.tweet_id)
    await fanout.step()
    assert await here.stores.work.pending("fanout")  # or the list would not have been kept
    await finish(fanout)
    assert await row_ids(here, clock, ada) == [second.tweet_id, first.tweet_id]

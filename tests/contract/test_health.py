"""The port `Health`: it says what is wrong and never raises, and closing lets everything go."""

import pytest

from twit.core.errors import StoreDown
from twit.core.model import NewTweet, Tweet


async def test_a_working_store_is_ok_throughout(stores):
    found = await stores.health.check()
    assert found
    assert set(found.values()) == {"ok"}


async def test_closing_twice_is_harmless_and_a_closed_store_says_so(stores):
    for _ in range(2):
        await stores.health.close()
    assert set((await stores.health.check()).values()) != {"ok"}


async def test_a_closed_store_refuses_at_once(stores):
    await stores.health.close()
    with pytest.raises(StoreDown):
        await stores.tweets.put([NewTweet(tweet=Tweet(tweet_id=1, author_id=1))])
    with pytest.raises(StoreDown):
        await stores.tweets.get([1])

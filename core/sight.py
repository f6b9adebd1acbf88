"""Whether one viewer may see tweets, with everything that this takes loaded a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

from .caches import Caches
from .model import Tweet, User
from .visibility import Viewer, sees_author, sees_tweet


class Sight:
    """One viewer's, for one request: it remembers what it loaded and must not outlive the answer."""

    def __init__(self, caches: Caches, viewer: Viewer) -> None:
        self.viewer = viewer
        self.users: dict[int, User | None] = {}
        self.tweets: dict[int, Tweet | None] = {}
        self._caches = caches

    async def sees_user(self, user_id: int) -> bool:
        """Whether he may see this account's tweets at all."""
        if user_id not in self.users:
            self.users[user_id] = await self._caches.user(user_id)
        return sees_author(self.viewer, self.users[user_id])

    async def sees(self, tweet: Tweet) -> bool:
        """Whether he may see this one; tombstones nobody sees."""
        return (await self.see((tweet,)))[0]

    async def see(self, tweets: Sequence[Tweet]) -> list[bool]:
        """Whether he may see each."""
        await self.load(tweets)
        return [self.loaded(tweet) for tweet in tweets]

    def loaded(self, tweet: Tweet) -> bool:
        """The same for a tweet that was in a `load`."""
        return sees_tweet(self.viewer, tweet, self.users.get, self.tweets.get)

    async def load(self, tweets: Sequence[Tweet]) -> None:
        """Bring in the originals of retweets and the authors of all."""
        self.tweets.update({tweet.tweet_id: tweet for tweet in tweets})
        await self.fetch([tweet.retweet_of for tweet in tweets if tweet.retweet_of])
        authors = {user_id: None for tweet in tweets for user_id in (tweet.author_id, tweet.retweet_of_author)}
        missing = [user_id for user_id in authors if user_id and user_id not in self.users]
        if missing:
            self.users.update(zip(missing, await self._caches.users(missing), strict=True))

    async def fetch(self, tweet_ids: Sequence[int]) -> None:
        """Bring in tweets by id, each once; their authors are left to `load`."""
        missing = [tweet_id for tweet_id in dict.fromkeys(tweet_ids) if tweet_id not in self.tweets]
        if missing:
            self.tweets.update(zip(missing, await self._caches.tweets(missing), strict=True))

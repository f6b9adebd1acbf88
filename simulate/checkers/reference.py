"""The naive model: what the fifteen rules of timelines mean, where words leave doubt.

It keeps plain sets, sorts everything when it is read, and knows no cache, no fan-out, no page and no clock. Tweet ids
come from outside. Every `may_…` says whether the service would carry the act out; the acts themselves do not ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Post:
    """A tweet, reply, quote or retweet; zero means none."""

    tweet_id: int
    author: int
    reply_to: int = 0
    quote_of: int = 0
    retweet_of: int = 0
    mentions: frozenset[int] = frozenset()


class Reference:
    """The whole service in sets. `window` is `retweet_dedupe_window`."""

    def __init__(self, window: int = 40) -> None:
        self.window = window
        self.users: set[int] = set()
        self.away: set[int] = set()  # deactivated or deleted
        self.private: set[int] = set()
        self.follows: dict[tuple[int, int], bool] = {}  # (follower, followee) -> with retweets
        self.requests: dict[tuple[int, int], bool] = {}
        self.blocks: set[tuple[int, int]] = set()
        self.mutes: set[tuple[int, int]] = set()
        self.posts: dict[int, Post] = {}
        self.gone: set[int] = set()
        self.likes: set[tuple[int, int]] = set()

    # people
    def sign_up(self, user: int) -> None:
        self.users.add(user)

    def deactivate(self, user: int) -> None:
        self.away.add(user)

    def reactivate(self, user: int) -> None:
        self.away.discard(user)

    def erase(self, user: int) -> None:
        """Deleted for ever, after being away too long."""
        self.gone.update(p.tweet_id for p in self.newest() if p.author == user)
        self.likes = {like for like in self.likes if like[0] != user}
        self.blocks = {pair for pair in self.blocks if pair[0] != user}
        self.mutes = {pair for pair in self.mutes if pair[0] != user}
        for kept in (self.follows, self.requests):
            for pair in [pair for pair in kept if user in pair]:
                del kept[pair]

    def set_private(self, user: int, *, private: bool) -> None:
        if private:
            self.private.add(user)
            return
        self.private.discard(user)
        for requester, target in [pair for pair in self.requests if pair[1] == user]:
            self.accept(target, requester)

    def may_follow(self, follower: int, followee: int) -> bool:
        return follower != followee and self.here(followee) and not self.apart(follower, followee)

    def follow(self, follower: int, followee: int, *, retweets: bool = True) -> None:
        edge = (follower, followee)
        wish = followee in self.private and edge not in self.follows
        (self.requests if wish else self.follows)[edge] = retweets

    def unfollow(self, follower: int, followee: int) -> None:
        self.follows.pop((follower, followee), None)
        self.requests.pop((follower, followee), None)

    def accept(self, target: int, requester: int) -> None:
        self.follows[requester, target] = self.requests.pop((requester, target))

    def reject(self, target: int, requester: int) -> None:
        self.requests.pop((requester, target), None)

    def block(self, actor: int, target: int) -> None:
        self.blocks.add((actor, target))
        self.unfollow(actor, target)
        self.unfollow(target, actor)

    def unblock(self, actor: int, target: int) -> None:
        self.blocks.discard((actor, target))

    def mute(self, actor: int, target: int) -> None:
        self.mutes.add((actor, target))

    def unmute(self, actor: int, target: int) -> None:
        self.mutes.discard((actor, target))

    # tweets; ids of retweets stand for their originals
    def original(self, tweet_id: int) -> int:
        return self.posts[tweet_id].retweet_of or tweet_id

    def may_answer(self, viewer: int, tweet_id: int) -> bool:
        """Reply to it or like it."""
        return self.sees(viewer, tweet_id) and self.sees(viewer, self.original(tweet_id))

    def may_share(self, viewer: int, tweet_id: int) -> bool:
        """Quote or retweet it: nobody shares what a private account says, not even that account."""
        return self.may_answer(viewer, tweet_id) and self.author(self.original(tweet_id)) not in self.private

    def post(self, tweet_id: int, author: int, *, reply_to: int = 0, quote_of: int = 0, mentions: Iterable[int] = ()) -> None:
        parent, quoted = (self.original(it) if it else 0 for it in (reply_to, quote_of))
        self.posts[tweet_id] = Post(tweet_id, author, parent, quoted, 0, frozenset(mentions))

    def retweet(self, tweet_id: int, author: int, of: int) -> None:
        self.posts[tweet_id] = Post(tweet_id, author, retweet_of=self.original(of))

    def retweet_by(self, author: int, of: int) -> int:
        """The standing retweet, 0 for none."""
        mine = (p for p in self.posts.values() if p.author == author and p.retweet_of == self.original(of))
        return next((p.tweet_id for p in mine if p.tweet_id not in self.gone), 0)

    def unretweet(self, author: int, of: int) -> None:
        self.gone.update({self.retweet_by(author, of)} - {0})

    def delete(self, tweet_id: int) -> None:
        self.gone.add(tweet_id)

    def like(self, user: int, tweet_id: int) -> None:
        self.likes.add((user, self.original(tweet_id)))

    def unlike(self, user: int, tweet_id: int) -> None:
        self.likes.discard((user, self.original(tweet_id)))

    # who sees what
    def author(self, tweet_id: int) -> int:
        return self.posts[tweet_id].author

    def here(self, user: int) -> bool:
        return user in self.users and user not in self.away

    def apart(self, one: int, other: int) -> bool:
        """A block stands between them, either way."""
        return (one, other) in self.blocks or (other, one) in self.blocks

    def sees_author(self, viewer: int, author: int) -> bool:
        if not self.here(author) or self.apart(viewer, author):
            return False
        return author == viewer or author not in self.private or (viewer, author) in self.follows

    def sees(self, viewer: int, tweet_id: int) -> bool:
        """Outside home: in threads, on user timelines, as something quoted."""
        post = self.posts[tweet_id]
        if tweet_id in self.gone or not self.sees_author(viewer, post.author):
            return False
        if post.retweet_of and not self.sees(viewer, post.retweet_of):
            return False
        named = post.mentions | ({self.author(post.reply_to)} if post.reply_to else frozenset())
        return post.author == viewer or not any(self.apart(viewer, person) for person in named)

    def at_home(self, reader: int, post: Post) -> bool:
        """Whether a tweet of the reader or of a followee belongs into his home timeline, repetition aside."""
        if not self.sees(reader, post.tweet_id):
            return False
        if post.author == reader:
            return True
        if (reader, post.author) in self.mutes:
            return False
        if post.retweet_of:
            return self.follows[reader, post.author] and (reader, self.author(post.retweet_of)) not in self.mutes
        spoken_to = self.author(post.reply_to) if post.reply_to else reader
        return spoken_to in (reader, post.author) or (reader, spoken_to) in self.follows

    def home(self, reader: int) -> list[int]:
        """The whole home timeline, newest first."""
        mine = [p for p in self.newest() if p.author == reader or (reader, p.author) in self.follows]
        shown = [p for p in mine if self.at_home(reader, p)]
        same = [p.retweet_of or p.tweet_id for p in shown]
        return [p.tweet_id for at, p in enumerate(shown) if same[at] not in same[at + 1 : at + 1 + self.window]]

    def user_timeline(self, viewer: int, user: int) -> list[int]:
        """Everything of one user that the viewer may see, newest first."""
        return [p.tweet_id for p in self.newest() if p.author == user and self.sees(viewer, p.tweet_id)]

    def newest(self) -> list[Post]:
        return [self.posts[it] for it in sorted(self.posts, reverse=True) if it not in self.gone]

    def tweet_counts(self, tweet_id: int) -> tuple[int, int, int, int]:
        """Likes, retweets, replies and quotes that stand."""
        liked = sum(one == tweet_id for _, one in self.likes)
        kinds = ("retweet_of", "reply_to", "quote_of")
        retweets, replies, quotes = (sum(getattr(p, kind) == tweet_id for p in self.newest()) for kind in kinds)
        return liked, retweets, replies, quotes

    def user_counts(self, user: int) -> tuple[int, int, int]:
        """Followers, followees and tweets."""
        followers = sum(followee == user for _, followee in self.follows)
        following = sum(follower == user for follower, _ in self.follows)
        return followers, following, sum(p.author == user for p in self.newest())

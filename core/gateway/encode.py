"""The JSON shapes of answers, and how views become them. Never asks a store.

A tweet ends with the viewer's two flags, and what it retweets or quotes stands right before them. So the flags of a
whole chain (retweet, original, quote) are the last bytes of its encoding, and `spliced` can set them without encoding again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..model import Tweet, TweetCounts, User, UserCounts
from ..shown import TweetView, Unavailable

IdText = Annotated[str, Meta(pattern="^[1-9][0-9]{0,18}$", description="a decimal id")]
Time = Annotated[datetime, Meta(description="RFC 3339, UTC")]


class AuthorOut(msgspec.Struct, gc=False):
    """Who wrote a tweet."""

    id: IdText
    username: str
    display_name: str
    is_verified: bool


class MetricsOut(msgspec.Struct, gc=False):
    """Counts of a tweet; at most a second old on pages."""

    likes: int
    retweets: int
    replies: int
    quotes: int


class MentionOut(msgspec.Struct, gc=False):
    """Someone named in a tweet, by the name of then."""

    id: IdText
    username: str


class EntitiesOut(msgspec.Struct, gc=False):
    """What a tweet's text was found to hold."""

    hashtags: Sequence[str]
    mentions: Sequence[MentionOut]
    urls: Sequence[str]


class UnavailableOut(msgspec.Struct, gc=False):
    """Stands where a tweet was that this viewer may not see."""

    unavailable: Literal[True]


CHILD_SCHEMA = {"oneOf": [{"$ref": "#/components/schemas/TweetOut"}, {"$ref": "#/components/schemas/UnavailableOut"}]}
Child = Annotated[Any, Meta(extra_json_schema=CHILD_SCHEMA)]  # msgspec describes no union of two structs: said by hand


class TweetOut(msgspec.Struct, kw_only=True, gc=False):
    """A tweet as this viewer sees it. Of a retweet, `metrics`, `liked` and `retweeted` are the original's."""

    tweet_id: IdText
    conversation_id: IdText
    text: str
    user: AuthorOut
    created_at: Time
    media: Sequence[str]
    metrics: MetricsOut
    entities: EntitiesOut
    reply_to_tweet_id: IdText | UnsetType = UNSET
    retweet_of: Child = UNSET
    quote: Child = UNSET
    liked: bool
    retweeted: bool


class PlainOut(msgspec.Struct, gc=False):
    """A `TweetOut` that shows no other tweet, seen by somebody who liked and retweeted nothing: the same bytes, by position, which
    is made in half the time."""

    tweet_id: str
    conversation_id: str
    text: str
    user: AuthorOut
    created_at: datetime
    media: Sequence[str]
    metrics: MetricsOut
    entities: EntitiesOut
    reply_to_tweet_id: str | UnsetType
    liked: bool = False
    retweeted: bool = False


class UserMetricsOut(msgspec.Struct, gc=False):
    """Counts of a person."""

    followers: int
    following: int
    tweets: int


class UserOut(msgspec.Struct, kw_only=True, gc=False):
    """An account as anybody may know it. `email` only in one's own."""

    id: IdText
    username: str
    display_name: str
    bio: str
    profile_image: str
    banner_image: str
    location: str
    website: str
    is_verified: bool
    is_private: bool
    created_at: Time
    metrics: UserMetricsOut
    email: str | UnsetType = UNSET


_encoder = msgspec.json.Encoder()
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines
_NO_ENTITIES = EntitiesOut((), (), ())
_NO_COUNTS, _NO_METRICS = TweetCounts(), MetricsOut(0, 0, 0, 0)
_FLAGS = {(liked, retweeted): b',"liked":%b,"retweeted":%b}' % (liked_is, retweeted_is)
          for liked, liked_is in ((False, b"false"), (True, b"true"))
          for retweeted, retweeted_is in ((False, b"false"), (True, b"true"))}  # fmt: skip
_UNSET_FLAGS = _FLAGS[False, False]


def time_of(ms: int) -> datetime:
    """Return milliseconds since 1970 as a time in UTC; it is encoded as RFC 3339."""
    return datetime.fromtimestamp(ms / 1_000, UTC)  # a double holds milliseconds exactly enough for 280,000 years


def tweet_out(view: TweetView, *, flags: bool = True) -> TweetOut:
    """Return the shape of a view; without `flags` as somebody sees it who liked and retweeted nothing."""
    tweet, author, counts = view.tweet, view.author, view.counts
    return TweetOut(
        tweet_id=str(tweet.tweet_id),
        conversation_id=str(tweet.conversation_id or tweet.tweet_id),
        text=tweet.text,
        user=author_out(author),
        created_at=time_of(tweet.created_ms),
        media=tweet.media,
        metrics=MetricsOut(counts.likes, counts.retweets, counts.replies, counts.quotes),
        entities=_entities(tweet),
        reply_to_tweet_id=str(tweet.reply_to) if tweet.reply_to else UNSET,
        retweet_of=UNSET if view.retweet_of is None else shown_out(view.retweet_of, flags=flags),
        quote=UNSET if view.quote is None else shown_out(view.quote, flags=flags),
        liked=flags and view.liked,
        retweeted=flags and view.retweeted,
    )


def shown_out(view: TweetView | Unavailable, *, flags: bool = True) -> TweetOut | UnavailableOut:
    """Return the shape of a place where a tweet is, or was."""
    return UnavailableOut(unavailable=True) if isinstance(view, Unavailable) else tweet_out(view, flags=flags)


def encoded(view: TweetView, *, flags: bool = True) -> bytes:
    """Return a view as JSON; without `flags`, `spliced` can set them later."""
    return _encode(tweet_out(view, flags=flags))


def plain_encoded(tweets: Sequence[tuple[object, Tweet, AuthorOut]], counted: Sequence[TweetCounts]) -> list[bytes]:
    """`encoded` without flags for tweets that show no other, all in one go: a third of the time. What comes with each is left alone."""
    outs = []
    for (_, tweet, author), counts in zip(tweets, counted, strict=True):
        tweet_id, thread = str(tweet.tweet_id), tweet.conversation_id
        outs.append(PlainOut(
            tweet_id,
            tweet_id if thread == tweet.tweet_id or not thread else str(thread),
            tweet.text,
            author,
            time_of(tweet.created_ms),
            tweet.media,
            _NO_METRICS if counts == _NO_COUNTS else MetricsOut(counts.likes, counts.retweets, counts.replies, counts.quotes),
            _entities(tweet),
            str(tweet.reply_to) if tweet.reply_to else UNSET,
        ))  # fmt: skip
    return _encode_lines(outs).split(b"\n")[:-1]  # JSON has no line feed within


def author_out(author: User) -> AuthorOut:
    """Return who wrote it, for `plain_encoded`."""
    return AuthorOut(str(author.user_id), author.username, author.display_name, author.is_verified)


def chain(view: TweetView) -> list[TweetView]:
    """Return the view, what it retweets or quotes, and so on, as far as it can be seen."""
    links = [view]
    while isinstance(child := links[-1].retweet_of or links[-1].quote, TweetView):
        links.append(child)
    return links


def flagged_in(view: TweetView) -> int:
    """Return the id that likes and retweets of this view go to."""
    return view.tweet.retweet_of or view.tweet.tweet_id


def spliced(plain: bytes, subjects: Sequence[int], liked: Collection[int], retweeted: Collection[int]) -> bytes:
    """Return a chain encoded without flags with those of a viewer who likes `liked` and retweeted `retweeted`.

    `subjects` are the ids that the chain's flags are of (`flagged_in`), outermost first.
    """
    head = plain[: -len(_UNSET_FLAGS) * len(subjects)]
    return head + b"".join([_FLAGS[subject in liked, subject in retweeted] for subject in reversed(subjects)])


def user_out(user: User, counts: UserCounts, *, own: bool = False) -> UserOut:
    """Return the shape of an account; with the e-mail only for its owner."""
    return UserOut(
        id=str(user.user_id),
        username=user.username,
        display_name=user.display_name,
        bio=user.bio,
        profile_image=user.profile_image,
        banner_image=user.banner_image,
        location=user.location,
        website=user.website,
        is_verified=user.is_verified,
        is_private=user.is_private,
        created_at=time_of(user.created_ms),
        metrics=UserMetricsOut(counts.followers, counts.following, counts.tweets),
        email=user.email if own else UNSET,
    )


def _entities(tweet: Tweet) -> EntitiesOut:
    if not (tweet.hashtags or tweet.mentions or tweet.urls):
        return _NO_ENTITIES
    mentions = [MentionOut(str(user_id), name) for user_id, name in zip(tweet.mentions, tweet.mention_names, strict=True)]
    return EntitiesOut(tweet.hashtags, mentions, tweet.urls)

"""Tweets: post, read, delete, like, retweet, quote, threads, and who did."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ..errors import Invalid
from ..model import Tweet
from ..shown import TweetView, Unavailable
from ..tweets import made_gone
from .bodies import parse
from .encode import Child, TweetOut, encoded, shown_out, tweet_out
from .exchange import API_TWEETS, Answer, Call
from .pages import TweetsOut, tweets_answer
from .ratelimits import Rate
from .route import API, Auth, Route
from .routes_social import UsersOut, users_answer
from .site import Site

WishedId = Annotated[str, Meta(pattern="^[1-9][0-9]{0,18}$", description="a decimal tweet id")]


class NewTweetIn(msgspec.Struct, forbid_unknown_fields=True):
    """A tweet to be: up to 280 characters. `media_ids` must be empty where the site stores no media."""

    text: str
    reply_to_tweet_id: WishedId | None = None
    quote_tweet_id: WishedId | None = None
    media_ids: list[str] = []


class RetweetIn(msgspec.Struct, forbid_unknown_fields=True):
    """With a comment it is a quote."""

    comment: str | None = None


class LikedOut(msgspec.Struct):
    """What stands now."""

    liked: bool


class ThreadOut(msgspec.Struct):
    """Ancestors oldest first, the tweet, and a page of what follows it, oldest first."""

    ancestors: list[Child]
    tweet: TweetOut
    descendants: list[Child]
    next_cursor: str | None
    has_more: bool


_encode = msgspec.json.Encoder().encode
_new_tweet = msgspec.json.Decoder(NewTweetIn)
_retweet = msgspec.json.Decoder(RetweetIn)
_LIKED = _encode(LikedOut(liked=True))


async def post_tweet(site: Site, call: Call) -> Answer:
    """Make a tweet, a reply or a quote; it is durable when this answers."""
    asked = parse(_new_tweet, call.body)
    if asked.media_ids:
        raise Invalid("this site stores no media", field="media_ids", try_="leave media_ids out")
    tweet = await site.twit.post(
        call.viewer,
        asked.text,
        reply_to=_id_of(asked.reply_to_tweet_id, "reply_to_tweet_id"),
        quote_of=_id_of(asked.quote_tweet_id, "quote_tweet_id"),
        idempotency_key=call.idempotency_key(),
        request_id=call.request_id,
    )
    return await _made(site, call, tweet)


async def get_tweet(site: Site, call: Call) -> Answer:
    """One tweet."""
    return Answer(200, encoded(await site.twit.tweet(call.viewer, call.path_id())))


async def delete_tweet(site: Site, call: Call) -> Answer:
    """Take one's own tweet back."""
    await site.twit.delete(call.viewer, call.path_id(), request_id=call.request_id)
    return Answer(204)


async def like(site: Site, call: Call) -> Answer:
    """Like a tweet; of a retweet, the original."""
    await site.twit.like(call.viewer, call.path_id(), request_id=call.request_id)
    return Answer(200, _LIKED)


async def unlike(site: Site, call: Call) -> Answer:
    """Take a like back."""
    await site.twit.unlike(call.viewer, call.path_id(), request_id=call.request_id)
    return Answer(204)


async def retweet(site: Site, call: Call) -> Answer:
    """Retweet, or quote where there is a comment."""
    asked = parse(_retweet, call.body) if call.body else RetweetIn()
    key, tweet_id = call.idempotency_key(), call.path_id()
    if asked.comment is None:
        made = await site.twit.retweet(call.viewer, tweet_id, idempotency_key=key, request_id=call.request_id)
    else:
        made = await site.twit.post(
            call.viewer, asked.comment, quote_of=tweet_id, idempotency_key=key, request_id=call.request_id
        )
    return await _made(site, call, made)


async def unretweet(site: Site, call: Call) -> Answer:
    """Take a retweet back."""
    await site.twit.unretweet(call.viewer, call.path_id(), request_id=call.request_id)
    return Answer(204)


async def get_thread(site: Site, call: Call) -> Answer:
    """What a tweet answers, the tweet, and what answers it."""
    cursor, limit = call.page()
    thread = await site.twit.thread(call.viewer, call.path_id(), cursor, limit)
    return Answer(200, _encode(ThreadOut(
        [shown_out(view) for view in thread.ancestors],
        tweet_out(thread.tweet),
        [shown_out(view) for view in thread.descendants],
        thread.next_cursor or None,
        thread.has_more,
    )))  # fmt: skip


async def get_replies(site: Site, call: Call) -> Answer:
    """Direct replies, oldest first."""
    cursor, limit = call.page()
    return await tweets_answer(site, call.viewer, await site.twit.replies(call.viewer, call.path_id(), cursor, limit))


async def get_likers(site: Site, call: Call) -> Answer:
    """Who likes a tweet, newest like first."""
    cursor, limit = call.page()
    return await users_answer(site, await site.twit.likers(call.viewer, call.path_id(), cursor, limit))


async def get_retweeters(site: Site, call: Call) -> Answer:
    """Who retweeted a tweet, newest first."""
    cursor, limit = call.page()
    return await users_answer(site, await site.twit.retweeters(call.viewer, call.path_id(), cursor, limit))


async def _made(site: Site, call: Call, tweet: Tweet) -> Answer:
    """201 with the tweet; a repeated request comes here with the tweet of the first."""
    author = site.twit.caches.user_cache.peek(tweet.author_id)
    view: TweetView | Unavailable
    if author is not None and not (tweet.quote_of or tweet.retweet_of or b"idempotency-key" in call.headers):
        view = TweetView(tweet=tweet, author=author)  # made just now, by somebody who may: nobody has liked it yet
    else:
        (view,) = await site.twit.dress(call.viewer, (tweet,))
    if not isinstance(view, TweetView):
        raise made_gone(tweet.tweet_id)
    return Answer(201, encoded(view), headers=((b"location", API_TWEETS + str(tweet.tweet_id).encode("ascii")),))


def _id_of(text: str | None, field: str) -> int:
    """Return the id in a body; 0 for none."""
    if text is None:
        return 0
    number = int(text)
    if number >= 1 << 63:
        what = f"{field} is not an id"
        raise Invalid(what, field=field)
    return number


_TWEET = f"{API}/tweets/{{id}}"
ROUTES = (
    Route(method="POST", path=f"{API}/tweets", name="post_tweet", tag="tweets", summary="Make a tweet, a reply or a quote",
          handler=post_tweet, status=201, rate=Rate.POSTS, body=NewTweetIn, answer=TweetOut, idempotent_by_key=True, hot=True),
    Route(method="GET", path=_TWEET, name="get_tweet", tag="tweets", summary="A tweet", handler=get_tweet,
          auth=Auth.OPTIONAL, rate=Rate.READS, answer=TweetOut, shared=True, hot=True),
    Route(method="DELETE", path=_TWEET, name="delete_tweet", tag="tweets", summary="Take one's own tweet back",
          handler=delete_tweet, status=204),
    Route(method="POST", path=f"{_TWEET}/like", name="like", tag="tweets", summary="Like a tweet", handler=like,
          answer=LikedOut, hot=True),
    Route(method="DELETE", path=f"{_TWEET}/like", name="unlike", tag="tweets", summary="Take a like back", handler=unlike,
          status=204, hot=True),
    Route(method="POST", path=f"{_TWEET}/retweet", name="retweet", tag="tweets", summary="Retweet; with a comment, quote",
          handler=retweet, status=201, rate=Rate.POSTS, body=RetweetIn, body_optional=True, answer=TweetOut,
          idempotent_by_key=True),
    Route(method="DELETE", path=f"{_TWEET}/retweet", name="unretweet", tag="tweets", summary="Take a retweet back",
          handler=unretweet, status=204),
    Route(method="GET", path=f"{_TWEET}/thread", name="get_thread", tag="tweets", summary="The thread around a tweet",
          handler=get_thread, auth=Auth.OPTIONAL, rate=Rate.READS, answer=ThreadOut, pages=True, shared=True),
    Route(method="GET", path=f"{_TWEET}/replies", name="get_replies", tag="tweets", summary="Direct replies, oldest first",
          handler=get_replies, auth=Auth.OPTIONAL, rate=Rate.READS, answer=TweetsOut, pages=True, shared=True),
    Route(method="GET", path=f"{_TWEET}/likes", name="get_likers", tag="tweets", summary="Who likes a tweet",
          handler=get_likers, auth=Auth.OPTIONAL, rate=Rate.READS, answer=UsersOut, pages=True, shared=True),
    Route(method="GET", path=f"{_TWEET}/retweets", name="get_retweeters", tag="tweets", summary="Who retweeted a tweet",
          handler=get_retweeters, auth=Auth.OPTIONAL, rate=Rate.READS, answer=UsersOut, pages=True, shared=True),
)  # fmt: skip

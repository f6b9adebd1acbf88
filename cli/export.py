"""export: everything of one kind as JSON lines, in order of id, read in pages. Deleted tweets and secrets are left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import click

from .arguments import WHO, Who, people
from .command import Group
from .invocation import current, terminal
from .render import Stream

if TYPE_CHECKING:
    from ..core.model import User
    from .contexts import World

    Rows = list[dict[str, Any]]

PAGE = 500
USERS = {
    "id": "id", "username": "username", "email": "email", "display_name": "display_name", "bio": "bio", "location": "location",
    "website": "website", "is_private": "is_private", "status": "status", "created_at": "created_at",
}  # fmt: skip
TWEETS = {
    "tweet_id": "tweet_id", "user": "user.username", "created_at": "created_at", "text": "text",
    "reply_to_tweet_id": "reply_to_tweet_id", "retweet_of_tweet_id": "retweet_of_tweet_id", "quote_tweet_id": "quote_tweet_id",
    "likes": "metrics.likes", "retweets": "metrics.retweets", "replies": "metrics.replies", "quotes": "metrics.quotes",
}  # fmt: skip
FOLLOWS = {"follower": "follower", "followee": "followee", "retweets": "retweets"}
whos_argument = click.argument("whos", type=WHO, nargs=-1, metavar="[@WHO…]")


@click.group("export", cls=Group, examples=("twit export users > users.jsonl", "twit export tweets @ada", "twit export follows -o csv"))
def export() -> None:
    """Write users, tweets or follows as JSON lines."""


@export.command("users", examples=("twit export users > users.jsonl", "twit export users -o csv > users.csv"))
@whos_argument
def users(whos: tuple[Who, ...]) -> None:
    """Write accounts, all or these, as JSON lines; passwords are never among it."""

    async def rows(world: World, page: list[User]) -> AsyncIterator[Rows]:
        from .shapes import user_json

        counts = await world.twit.user_counts([one.user_id for one in page])
        yield [user_json(one, count) for one, count in zip(page, counts, strict=True)]

    _export(whos, rows, USERS, "username")


@export.command("tweets", examples=("twit export tweets > tweets.jsonl", "twit export tweets @ada @grace"))
@whos_argument
def tweets(whos: tuple[Who, ...]) -> None:
    """Write tweets of all authors, or these, as JSON lines.

    By author, each newest first. Private and deactivated authors are included: this is the operator's copy.
    """

    async def rows(world: World, page: list[User]) -> AsyncIterator[Rows]:
        for author in page:
            before = 0
            while ids := await _newest(world, author.user_id, before):
                yield await _tweet_rows(world, author, ids)
                before = ids[-1]

    _export(whos, rows, TWEETS, "tweet_id")


@export.command("follows", examples=("twit export follows > follows.jsonl", "twit export follows @ada -o csv"))
@whos_argument
def follows(whos: tuple[Who, ...]) -> None:
    """Write who follows whom, for all followers or these, as JSON lines of ids."""

    async def rows(world: World, page: list[User]) -> AsyncIterator[Rows]:
        for one, edges in zip(page, await world.stores.graph.following([user.user_id for user in page]), strict=True):
            yield [
                {"follower": str(one.user_id), "followee": str(other), "retweets": other not in edges.without_retweets}
                for other in edges.followees
            ]

    _export(whos, rows, FOLLOWS, "followee")


def _export(
    whos: tuple[Who, ...], rows: Callable[[World, list[User]], AsyncIterator[Rows]], columns: dict[str, str], name: str
) -> None:
    from .contexts import perform

    out = terminal()
    form = "jsonl" if out.format == "table" else out.format
    stream = Stream(form, columns, name)

    async def act(world: World) -> None:
        out.data(stream.begin())
        async for page in _pages(world, whos):
            async for some in rows(world, page):
                out.data(stream.rows(some))
        out.data(stream.end())

    perform(current(), act)


async def _pages(world: World, whos: tuple[Who, ...]) -> AsyncIterator[list[User]]:
    if whos:
        yield await people(world.twit, *whos)
        return
    after = 0
    while page := await world.stores.accounts.page(after, PAGE):
        yield page
        after = page[-1].user_id


async def _newest(world: World, author: int, before: int) -> list[int]:
    (entries,) = await world.stores.tweets.by_authors((author,), before=before, limit=PAGE)
    return [int(one) for one in entries[:, 0]]


async def _tweet_rows(world: World, author: User, ids: list[int]) -> Rows:
    from .shapes import exported_tweet

    counts = await world.stores.engagement.counts(ids)
    found = await world.stores.tweets.get(ids)
    return [exported_tweet(one, author, count) for one, count in zip(found, counts, strict=True) if one and not one.deleted]

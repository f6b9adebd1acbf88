"""timeline, tweet, thread: reading as one person sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .arguments import TWEET_ID, WHO, Who, person
from .command import command
from .invocation import current, terminal

if TYPE_CHECKING:
    from ..core.shown import Explanation, Thread, TweetPage, TweetView, Unavailable
    from .contexts import World

    Views = list[TweetView | Unavailable]

as_option = click.option("--as", "viewer", type=WHO, metavar="@WHO", help="See it with this person's eyes.  [default: nobody's]")
limit_option = click.option("--limit", type=int, metavar="N", help="Tweets on the page, 1 to 200.  [default: 50]")


@command("timeline", examples=("twit timeline @ada", "twit timeline @ada --limit 200 --explain", "twit timeline @ada --user -o json"))
@click.argument("who", type=WHO, metavar="@WHO")
@click.option("--user", "own", is_flag=True, help="The person's own tweets and retweets instead of the home timeline.")
@limit_option
@click.option("--before", default="", metavar="ID|CURSOR", help="Only what is older: a tweet id, or the page's next_cursor.")
@click.option("--explain", is_flag=True, help="Show where each entry came from, what was hidden by which rule, and the cost.")
def timeline(who: Who, own: bool, limit: int | None, before: str, explain: bool) -> None:
    """Read a home timeline, or one user's own tweets."""
    if own and explain:
        raise click.UsageError("--explain is about home timelines; leave --user out")
    from .contexts import perform
    from .shapes import timeline_sheet

    page, views, explanation = perform(
        current(), lambda world: _user(world, who, before, limit) if own else _home(world, who, before, limit, explain=explain)
    )
    terminal().show(timeline_sheet(page, views, explanation))
    if page.has_more and terminal().format == "table":
        terminal().say(f"more: --before {page.next_cursor}")


@command("tweet", examples=("twit tweet 184277100000000001", "twit tweet 184277100000000001 --as @ada -o json"))
@click.argument("tweet_id", type=TWEET_ID, metavar="ID")
@as_option
def tweet(tweet_id: int, viewer: Who | None) -> None:
    """Show one tweet."""
    from .contexts import perform
    from .shapes import tweet_sheet

    async def act(world: World) -> TweetView:
        return await world.twit.tweet(await _viewer(world, viewer), tweet_id)

    terminal().show(tweet_sheet(perform(current(), act)))


@command("thread", examples=("twit thread 184277100000000001", "twit thread 184277100000000001 --as @ada --limit 200"))
@click.argument("tweet_id", type=TWEET_ID, metavar="ID")
@as_option
@limit_option
@click.option("--after", default="", metavar="CURSOR", help="The next page of replies: the page's next_cursor.")
def thread(tweet_id: int, viewer: Who | None, limit: int | None, after: str) -> None:
    """Show a tweet with what it answers and its replies.

    Oldest first; the tweet asked for is marked.
    """
    from .contexts import perform
    from .shapes import thread_sheet

    async def act(world: World) -> Thread:
        return await world.twit.thread(await _viewer(world, viewer), tweet_id, after, limit)

    found = perform(current(), act)
    terminal().show(thread_sheet(found))
    if found.has_more and terminal().format == "table":
        terminal().say(f"more: --after {found.next_cursor}")
    elif not after and found.tweet.counts.replies > len(found.descendants):
        terminal().detail(f"{found.tweet.counts.replies:,} replies are counted; those that are computed only, or hidden from this viewer, are not listed")


async def _home(
    world: World, who: Who, before: str, limit: int | None, *, explain: bool
) -> tuple[TweetPage, Views, Explanation | None]:
    from ..core.timelines import HOME

    reader = (await person(world.twit, who)).user_id
    await world.twit.seen(reader)
    home = await world.twit.home_timeline(reader, _cursor(before, HOME), limit, explain=explain)
    return home.page, await world.twit.dress(reader, home.page.tweets), home.explanation


async def _user(world: World, who: Who, before: str, limit: int | None) -> tuple[TweetPage, Views, Explanation | None]:
    """As the person himself sees it."""
    from ..core.timelines import USER

    user_id = (await person(world.twit, who)).user_id
    await world.twit.user(user_id, user_id)  # refuses who is deactivated
    page = await world.twit.user_timeline(user_id, user_id, _cursor(before, USER), limit)
    return page, await world.twit.dress(user_id, page.tweets), None


async def _viewer(world: World, viewer: Who | None) -> int:
    return (await person(world.twit, viewer)).user_id if viewer else 0


def _cursor(before: str, kind: str) -> str:
    """Tweet ids are for people, cursors for programs; a page begins after either."""
    from ..core import cursors

    return cursors.encode(kind, TWEET_ID.convert(before, None, None)) if before.isascii() and before.isdigit() else before

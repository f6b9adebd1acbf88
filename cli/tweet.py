"""post, delete, like, unlike, retweet, unretweet: what one person does with tweets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from .arguments import TEXT, TWEET_ID, WHO, Who, person
from .command import Command, command
from .invocation import current, terminal

if TYPE_CHECKING:
    from ..core.model import User
    from ..core.shown import TweetView
    from .contexts import World

T = TypeVar("T")
who_argument = click.argument("who", type=WHO, metavar="@WHO")
id_argument = click.argument("tweet_id", type=TWEET_ID, metavar="ID")


@command(
    "post",
    examples=('twit post @ada "first!"', 'twit post @ada "well said" --quote 184277100000000001', "twit post @ada - < note.txt"),
)
@who_argument
@click.argument("text", type=TEXT)
@click.option("--reply-to", type=TWEET_ID, metavar="ID", help="The tweet it answers.")
@click.option("--quote", type=TWEET_ID, metavar="ID", help="The tweet it quotes.")
@click.option("--idempotency-key", default="", metavar="KEY", help="Posting again with the same key gives the first tweet.")
def post(who: Who, text: str, reply_to: int | None, quote: int | None, idempotency_key: str) -> None:
    """Post a tweet, a reply or a quote.

    A TEXT of "-" is read from stdin.
    """
    from .shapes import tweet_sheet

    async def act(world: World) -> tuple[TweetView, int]:
        twit, author = world.twit, await person(world.twit, who)
        tweet = await twit.post(
            author.user_id, text, reply_to=reply_to or 0, quote_of=quote or 0, idempotency_key=idempotency_key
        )
        return await _made(world, author, tweet.tweet_id)

    view, followers = _performed(act)
    terminal().show(tweet_sheet(view, _queued(followers)))


@command("retweet", examples=("twit retweet @grace 184277100000000001",))
@who_argument
@id_argument
@click.option("--idempotency-key", default="", metavar="KEY", help="Kept with the retweet; another one with the key is refused.")
def retweet(who: Who, tweet_id: int, idempotency_key: str) -> None:
    """Retweet a tweet.

    A retweet of a retweet goes to the original. Repeating shows the retweet that stands.
    """
    from .shapes import tweet_sheet

    async def act(world: World) -> tuple[TweetView, int]:
        twit, author = world.twit, await person(world.twit, who)
        made = await twit.retweet(author.user_id, tweet_id, idempotency_key=idempotency_key)
        return await _made(world, author, made.tweet_id)

    view, followers = _performed(act)
    terminal().show(tweet_sheet(view, _queued(followers)))


@command("delete", examples=("twit delete @ada 184277100000000001",))
@who_argument
@id_argument
def delete(who: Who, tweet_id: int) -> None:
    """Delete one's own tweet.

    It vanishes from every timeline at once, and retweets of it with it.
    """

    async def act(world: World) -> User:
        author = await person(world.twit, who)
        await world.twit.delete(author.user_id, tweet_id)
        return author

    author = _performed(act)
    _show(author, tweet_id, {"deleted": True}, "deleted", changed=True)


def _toggle(verb: str, summary: str, state: dict[str, bool], did: str, repeated: str) -> Command:
    """like, unlike and unretweet differ in words alone. Repeating is no error, and says so."""

    @command(verb, examples=(f"twit {verb} @grace 184277100000000001",))
    @who_argument
    @id_argument
    def body(who: Who, tweet_id: int) -> None:
        async def act(world: World) -> tuple[User, bool]:
            user = await person(world.twit, who)
            return user, await getattr(world.twit, verb)(user.user_id, tweet_id)

        user, changed = _performed(act)
        _show(user, tweet_id, state, did if changed else repeated, changed=changed)

    body.help = summary
    return body


like = _toggle("like", "Like a tweet.\n\nA like of a retweet goes to the original.", {"liked": True}, "likes", "already likes")
unlike = _toggle("unlike", "Take a like back.", {"liked": False}, "no longer likes", "did not like")
unretweet = _toggle(
    "unretweet", "Take a retweet back.\n\nID is the original's, or the retweet's own.",
    {"retweeted": False}, "took back the retweet of", "had not retweeted",
)  # fmt: skip


def _performed(act: Callable[[World], Awaitable[T]]) -> T:
    from .contexts import perform

    return perform(current(), act, writes=True)


async def _made(world: World, author: User, tweet_id: int) -> tuple[TweetView, int]:
    view = await world.twit.tweet(author.user_id, tweet_id)
    (counts,) = await world.twit.user_counts((author.user_id,))
    return view, counts.followers


def _queued(followers: int) -> str:
    return f"fan-out queued to {followers} follower{'' if followers == 1 else 's'}"


def _show(user: User, tweet_id: int, state: dict[str, bool], verb: str, *, changed: bool) -> None:
    """What stands now, and whether this command made it so."""
    from .shapes import state_sheet

    row = {"user": user.username, "tweet_id": str(tweet_id), **state, "changed": changed}
    terminal().show(state_sheet(row, f"@{user.username}  {verb}  {tweet_id}", "tweet_id"))

"""Results as the HTTP API shows them, for -o json, and as lines a person reads. Both doors share core/gateway/encode.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec

from ..core.gateway.encode import shown_out, user_out
from ..core.model import FollowRequest, Tweet, TweetCounts, User, UserCounts
from ..core.shown import Explanation, Thread, TweetPage, TweetView, Unavailable
from .output import Sheet, shown

ONE = {"likes": "like", "retweets": "retweet", "replies": "reply", "quotes": "quote"}
TWEET_COLUMNS = {
    "id": "tweet_id", "user": "user.username", "text": "text", "likes": "metrics.likes", "retweets": "metrics.retweets",
    "replies": "metrics.replies", "created": "created_at",
}  # fmt: skip
USER_COLUMNS = {
    "id": "id", "name": "username", "shown as": "display_name", "followers": "metrics.followers",
    "following": "metrics.following", "tweets": "metrics.tweets", "private": "is_private", "status": "status",
}  # fmt: skip

Json = dict[str, Any]


def tweet_json(view: TweetView | Unavailable) -> Json:
    """A tweet as GET /tweets/{id} shows it to this viewer."""
    return cast("Json", msgspec.to_builtins(shown_out(view)))


def user_json(user: User, counts: UserCounts) -> Json:
    """An account as GET /users/me shows it, and besides its status, which operators ask for."""
    return {**msgspec.to_builtins(user_out(user, counts, own=True)), "status": user.status.value}


def tweet_sheet(view: TweetView, note: str = "") -> Sheet:
    """One tweet and what was done about it."""
    line = tweet_line(view) + (f"  ({note})" if note else "")
    row = tweet_json(view)
    return Sheet(rows=[row], columns=TWEET_COLUMNS, name="tweet_id", document=row, lines=[line])


def timeline_sheet(page: TweetPage, views: Sequence[TweetView | Unavailable], explanation: Explanation | None) -> Sheet:
    """A page of a timeline; explained, every entry says where it came from and the last lines what the read cost."""
    there = [view for view in views if isinstance(view, TweetView)]  # what vanished while it was read is left out
    rows, lines = [tweet_json(view) for view in there], [tweet_line(view) for view in there]
    document: Json = {
        "tweets": rows, "next_cursor": page.next_cursor or None, "has_more": page.has_more,
        "complete_back_to": str(page.complete_back_to),
    }  # fmt: skip
    if explanation is None:
        return Sheet(rows=rows, columns=TWEET_COLUMNS, name="tweet_id", document=document, lines=lines)
    sources = {one.tweet_id: [source.value for source in one.sources] for one in explanation.entries}
    named = ["+".join(sources.get(view.tweet.tweet_id, ())) for view in there]
    rows = [{**row, "source": source} for row, source in zip(rows, named, strict=True)]
    lines = [f"{source:<9} {line}" for source, line in zip(named, lines, strict=True)]
    document["explanation"] = explanation_json(explanation)
    columns = {"source": "source", **TWEET_COLUMNS}
    return Sheet(rows=rows, columns=columns, name="tweet_id", document=document, lines=[*lines, *cost_lines(explanation)])


def explanation_json(explanation: Explanation) -> Json:
    """Ids as text, as everywhere in our JSON."""
    document = cast("Json", msgspec.to_builtins(explanation))
    return {**document, "entries": [{**entry, "tweet_id": str(entry["tweet_id"])} for entry in document["entries"]]}


def cost_lines(explanation: Explanation) -> list[str]:
    """What was hidden by which rule, and what the read cost by stage."""
    hidden = ", ".join(f"{count} {rule}" for rule, count in explanation.hidden.items()) or "nothing"
    took = ", ".join(f"{stage} {us} µs" for stage, us in explanation.took_us.items())
    authors = f"pulled from {explanation.pulled_authors} authors, merged from {explanation.merged_authors}"
    return [
        f"row {explanation.row}; {explanation.scanned} candidates looked at, {len(explanation.entries)} shown; hidden: {hidden}",
        f"{authors}; {explanation.store_calls} store calls; {took}",
    ]


def thread_sheet(thread: Thread) -> Sheet:
    """Ancestors, the tweet (marked), descendants."""
    above, below = [tweet_json(view) for view in thread.ancestors], [tweet_json(view) for view in thread.descendants]
    asked = tweet_json(thread.tweet)
    document: Json = {
        "ancestors": above, "tweet": asked, "descendants": below,
        "next_cursor": thread.next_cursor or None, "has_more": thread.has_more,
    }  # fmt: skip
    lines = [f"  {tweet_line(view)}" for view in thread.ancestors]
    lines += [f"> {tweet_line(thread.tweet)}", *(f"  {tweet_line(view)}" for view in thread.descendants)]
    return Sheet(rows=[*above, asked, *below], columns=TWEET_COLUMNS, name="tweet_id", document=document, lines=lines)


def state_sheet(row: Json, line: str, name: str) -> Sheet:
    """What a command came to, in one line; `name` is the key that -o name prints."""
    return Sheet(rows=[row], columns={key: key for key in row}, name=name, document=row, lines=[line])


def tweet_line(view: TweetView | Unavailable) -> str:
    """`id  @name  text  (what it answers or quotes, and its counts)`."""
    if isinstance(view, Unavailable):
        return f"{view.tweet_id}  (unavailable)"
    tweet = view.tweet
    head = f"{tweet.tweet_id}  @{view.author.username}"
    notes = [f"in reply to {tweet.reply_to}"] if tweet.reply_to else []
    if tweet.retweet_of:
        text = f"retweeted {tweet.retweet_of}  {_inner(view.retweet_of)}"
    else:
        text = shown(tweet.text)
        notes += [f"quoting {tweet.quote_of}  {_inner(view.quote)}"] if tweet.quote_of else []
    notes += [f"{count} {ONE[what] if count == 1 else what}" for what, count in msgspec.structs.asdict(view.counts).items() if count]
    return "  ".join([head, text, *([f"({'; '.join(notes)})"] if notes else [])])


def _inner(view: TweetView | Unavailable | None) -> str:
    return f"@{view.author.username}  {shown(view.tweet.text)}" if isinstance(view, TweetView) else "(unavailable)"


def user_sheet(row: Json) -> Sheet:
    """One account, a line a field."""
    metrics = row["metrics"]
    facts = [
        ("id", row["id"]), ("shown as", row["display_name"]), ("status", row["status"] + (", private" if row["is_private"] else "")),
        ("e-mail", row.get("email", "")), ("bio", row["bio"]), ("location", row["location"]), ("website", row["website"]),
        ("since", row["created_at"]), ("token", row.get("token", "")),
    ]  # fmt: skip
    counts = ", ".join(f"{metrics[what]} {what}" for what in ("followers", "following", "tweets"))
    lines = [f"@{row['username']}  {counts}", *(f"  {label:<10}{shown(value)}" for label, value in facts if value)]
    return Sheet(rows=[row], columns=USER_COLUMNS, name="username", document=row, lines=lines)


def users_sheet(rows: Sequence[Json]) -> Sheet:
    """Accounts in columns."""
    return Sheet(rows=rows, columns=USER_COLUMNS, name="username", document={"users": list(rows)})


def requests_sheet(found: Sequence[tuple[FollowRequest, User]], next_cursor: str, *, has_more: bool) -> Sheet:
    """Open requests to follow, newest first."""
    rows = [
        {"id": str(one.request_id), "user": {"id": str(asker.user_id), "username": asker.username, "display_name": asker.display_name}}
        for one, asker in found
    ]
    columns = {"request": "id", "from": "user.username", "shown as": "user.display_name"}
    document = {"requests": rows, "next_cursor": next_cursor or None, "has_more": has_more}
    return Sheet(rows=rows, columns=columns, name="user.username", document=document)


def exported_tweet(tweet: Tweet, author: User, counts: TweetCounts) -> Json:
    """A tweet as nobody in particular sees it, with ids where the API would show whole tweets."""
    row = tweet_json(TweetView(tweet=tweet, author=author, counts=counts))
    linked = {"retweet_of_tweet_id": tweet.retweet_of, "quote_tweet_id": tweet.quote_of}
    kept = {key: value for key, value in row.items() if key not in {"liked", "retweeted"}}
    return {**kept, **{key: str(value) for key, value in linked.items() if value}}

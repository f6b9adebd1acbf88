"""Pages of tweets: fragments joined into one body."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ..shown import TweetPage
from .encode import TweetOut
from .exchange import Answer
from .site import Site


class TweetsOut(msgspec.Struct):
    """A page of tweets. `next_cursor` is null on the last page."""

    tweets: list[TweetOut]
    next_cursor: str | None
    has_more: bool


class TimelineOut(msgspec.Struct):
    """A page of a timeline. Nothing at or above `complete_back_to` was missing where it was cached; "0": the beginning."""

    tweets: list[TweetOut]
    next_cursor: str | None
    has_more: bool
    complete_back_to: Annotated[str, Meta(pattern="^[0-9]{1,19}$", description="a decimal id, or 0")]


async def tweets_answer(site: Site, viewer: int, page: TweetPage, *, timeline: bool = False) -> Answer:
    """Return a page as this viewer sees it; a timeline also says how far back its cache was complete."""
    return answer_of(await site.fragments.page(viewer, page.tweets, page.ids), page, timeline=timeline)


def answer_of(parts: list[bytes], page: TweetPage, *, timeline: bool = False) -> Answer:
    """Join fragments."""
    cursor = b'"%b"' % page.next_cursor.encode("ascii") if page.next_cursor else b"null"
    end = b'],"next_cursor":%b,"has_more":%b' % (cursor, b"true" if page.has_more else b"false")
    if timeline:
        end += b',"complete_back_to":"%d"' % page.complete_back_to
    if not parts:
        return Answer(200, b'{"tweets":[' + end + b"}")
    parts[0] = b'{"tweets":[' + parts[0]  # on the ends of the list, so that the page is copied once
    parts[-1] = b"%b%b}" % (parts[-1], end)
    return Answer(200, b",".join(parts))

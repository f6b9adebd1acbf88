"""A viewer's own marks on a page: which of its tweets he likes or retweeted, spliced into fragments that are the same for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model import Tweet
from ..ports import Stores
from ..visibility import Viewer
from .encode import spliced


def has_marks(viewer: Viewer) -> bool:
    """Whether he may like or have retweeted something of a page."""
    return bool(viewer.liked or viewer.retweeted or viewer.retweeted_from or not viewer.liked_whole)


async def mark(
    stores: Stores, viewer: Viewer, tweets: Sequence[Tweet], parts: list[bytes | None], quoting: Mapping[int, tuple[int, ...]]
) -> None:
    """Set his flags in `parts`, the encodings of `tweets`; `quoting` says which places hold a chain with a quote, and of whom."""
    subjects = [tweet.retweet_of or tweet.tweet_id for tweet in tweets]
    liked, retweeted = viewer.liked, viewer.retweeted
    asked = [*subjects, *(subject for chained in quoting.values() for subject in chained)] if quoting else subjects
    if not viewer.liked_whole:
        liked = liked | await _liked(stores, viewer, asked)
    if viewer.retweeted_from:
        retweeted = retweeted | await _retweeted(stores, viewer, asked)
    if liked.isdisjoint(asked) and retweeted.isdisjoint(asked):
        return
    for at, subject in enumerate(subjects):
        part = parts[at]
        if part is None:
            continue
        if at in quoting:
            parts[at] = spliced(part, quoting[at], liked, retweeted)
        elif subject in liked or subject in retweeted:
            parts[at] = spliced(part, (subject, subject) if tweets[at].retweet_of else (subject,), liked, retweeted)


async def _liked(stores: Stores, viewer: Viewer, subjects: Sequence[int]) -> set[int]:
    """Those of `subjects` that he likes longer ago than the caches remember."""
    unknown = list({subject: None for subject in subjects if subject not in viewer.liked})
    likes = await stores.engagement.liked(viewer.user_id, unknown) if unknown else []
    return {subject for subject, one in zip(unknown, likes, strict=True) if one}


async def _retweeted(stores: Stores, viewer: Viewer, subjects: Sequence[int]) -> set[int]:
    """The same of his retweets: only of originals older than the oldest remembered."""
    known, since = viewer.retweeted, viewer.retweeted_from
    unknown = list({subject: None for subject in subjects if subject < since and subject not in known})
    ids = await stores.tweets.retweet_ids(viewer.user_id, unknown) if unknown else []
    return {subject for subject, one in zip(unknown, ids, strict=True) if one}

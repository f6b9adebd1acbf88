"""Puts together how one user sees the others, from the stores of truth, in one round of calls. Keeps nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from .entries import AuthorMode
from .limits import Limits
from .ports import Stores
from .visibility import Viewer


async def load_viewer(
    stores: Stores, limits: Limits, user_id: int, modes: Mapping[int, AuthorMode], one: Callable[[int, int], int]
) -> Viewer:
    """Read the viewer. `modes` are the authors that are not pushed; `one(id, id)` gives the one object that stands for an id
    in the whole process: sets of ids are compared by it quicker, and take a third of the memory."""
    following = (await stores.graph.following((user_id,)))[0]
    blocks = (await stores.relations.blocks((user_id,)))[0]
    liked, whole = await stores.engagement.recent_likes(user_id, limits.cached_likes_per_viewer_max)
    own = (await stores.tweets.by_authors((user_id,), limit=limits.cached_likes_per_viewer_max))[0]
    refs = own[:, 1]
    return Viewer(
        user_id=user_id,
        circle=frozenset([one(followee, followee) for followee in (*following.followees, user_id)]),
        without_retweets=following.without_retweets,
        unmerged=following.unmerged,
        hidden=blocks.blocked | blocks.blocked_by,
        blocked=blocks.blocked,
        muted=blocks.muted,
        pulled=pulled_of(following.followees, modes),
        liked=set(liked),
        liked_whole=whole,
        retweeted=set(refs[refs > 0].tolist()),
        retweeted_from=int(own[-1, 0]) if len(own) >= limits.cached_likes_per_viewer_max else 0,
    )


def pulled_of(followees: Collection[int], modes: Mapping[int, AuthorMode]) -> tuple[int, ...]:
    """Which of these are not pushed, in order of id."""
    return tuple(sorted(author for author in followees if author in modes))

"""Whether both sides of the social graph tell the same, and whether counts are what counting gives; and mending either.

- `one-sided`  an edge that stands in `following` and not in the followee's list of followers, or the other way round
- `drifted`    a count that differs from what is there to be counted

Quotes of a tweet cannot be listed, so their count is not looked at; `--repair` recounts it all the same. Nothing mends
the counts of an account, which the stores keep in the same transaction as what they count: a difference there is a bug.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..core.ports import Stores
from .pending import Pending
from .plan import Draft, Level, Plan, PlanFile, fingerprint
from .procedure import Difference, Downstream

if TYPE_CHECKING:
    from ..core.entries import Ids

T = TypeVar("T")
PAGE = 4_096
TWEETS_EACH = 50  # newest tweets of a sampled user whose counts are looked at
COUNTED_MAX = 1_000_000  # entries of one author that are counted


class PeopleAudit:
    """Looks at one user at a time. Follower lists that were walked are kept, since followees are shared."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._followers: dict[int, Ids] = {}
        self.late = 0

    def forget(self) -> None:
        """Before a second look."""
        self._followers.clear()

    async def graph(self, user: int, late: Pending) -> list[Difference]:
        """Edges of this user, both as follower and as followee."""
        followees = (await self._stores.graph.following((user,)))[0].followees
        unheard = [f for f in followees if not (await self._walk(f) == user).any()]
        listed = (await self._walk(user)).tolist()
        stands = await self._stores.graph.is_following([(follower, user) for follower in listed])
        stale = [follower for follower, yes in zip(listed, stands, strict=True) if not yes]
        found = []
        for follower, followee, what in [
            *((user, f, "following, not in the list of followers") for f in unheard),
            *((f, user, "in the list of followers, not following") for f in stale),
        ]:
            if late.too_many or follower in late.users or followee in late.users:
                self.late += 1
            else:
                found.append(Difference(item=user, cause="one-sided", detail=f"{follower} -> {followee}: {what}"))
        return found

    async def counts(self, user: int, late: Pending) -> list[Difference]:
        """Counts of this user and of his newest tweets."""
        if late.too_many or user in late.users:
            return []
        stores = self._stores
        entries = (await stores.tweets.by_authors((user,), limit=COUNTED_MAX))[0]
        kept = (await stores.accounts.counts((user,)))[0]
        following = len((await stores.graph.following((user,)))[0].followees)
        due = {"followers": len(await self._walk(user)), "following": following, "tweets": len(entries)}
        found = [_drift(user, f"{name} of user {user}", getattr(kept, name), count) for name, count in due.items()]
        originals = entries[entries[:, 1] == 0][:TWEETS_EACH, 0].tolist()
        for tweet, counts in zip(originals, await stores.engagement.counts(originals), strict=True):
            if tweet in late.tweets:
                continue
            counted = await self._counted(tweet)
            found += [_drift(user, f"{name} of tweet {tweet}", getattr(counts, name), count) for name, count in counted.items()]
        return [one for one in found if one is not None]

    async def _counted(self, tweet: int) -> dict[str, int]:
        engagement, tweets = self._stores.engagement, self._stores.tweets
        return {
            "likes": await _paged(lambda before: engagement.likers_page(tweet, before, PAGE), lambda edge: edge.sequence),
            "retweets": await _paged(lambda before: tweets.retweets(tweet, before, PAGE), lambda one: one.tweet_id),
            "replies": await _paged(lambda after: tweets.replies(tweet, after, PAGE), lambda one: one.tweet_id),
        }

    async def _walk(self, user: int) -> Ids:
        """The user's whole list of followers."""
        if user not in self._followers:
            parts, after = [], 0
            while True:
                ids, after = await self._stores.graph.followers(user, after, PAGE)
                parts.append(ids)
                if not after:
                    break
            if len(self._followers) > PAGE:
                self._followers.clear()
            self._followers[user] = np.concatenate(parts)
        return self._followers[user]


class MendPeople:
    """`procedure.Procedure` over users: both sides of the graph brought in line, and counts of newest tweets counted again."""

    prefix, unit, batch = "mp", "users", 16

    def __init__(self, stores: Stores, check: str, users: Sequence[int]) -> None:
        self.name = f"repair-{check}"
        self._stores, self._check, self._users = stores, check, users

    async def plan(self, context: str, kept: PlanFile | None) -> Draft:
        items = np.unique(np.array(self._users if kept is None else kept.asked, dtype=np.int64))
        what = "make the lists of followers say what following says" if self._check == "graph" else "count tweets' counts again"
        plan = Plan(
            procedure=self.name, context=context, unit=self.unit, count=len(items),
            level=Level.MILD if len(items) == 1 else Level.MODERATE,
            facts=(("users", f"{len(items):,}"), ("write", what)),
            undo="not needed: what is written follows from the stores of truth",
            fingerprint=fingerprint(self.name, context, {}, items, ""),
        )
        return Draft(plan=plan, items=items, asked=tuple(items.tolist()))

    async def apply(self, items: Ids) -> Mapping[str, int]:
        mend = self._graph if self._check == "graph" else self._counts
        return {"mended": sum([await mend(user) for user in items.tolist()])}

    async def verify(self, items: Ids) -> Sequence[Difference]:
        audit = PeopleAudit(self._stores)
        look = audit.graph if self._check == "graph" else audit.counts
        return [one for user in items.tolist() for one in await look(user, Pending())]

    async def downstream(self) -> Downstream:
        """Nothing consumes what this writes."""
        return Downstream(name="nothing", lag_ms=None)

    async def _graph(self, user: int) -> int:
        followees = (await self._stores.graph.following((user,)))[0].followees
        pairs, after = [(user, followee) for followee in followees], 0
        while True:
            followers, after = await self._stores.graph.followers(user, after, PAGE)
            pairs += [(follower, user) for follower in followers.tolist()]
            if not after:
                break
        carried = [one for at in range(0, len(pairs), PAGE) for one in await self._stores.graph.carry(pairs[at : at + PAGE])]
        return sum(one.added or one.removed for one in carried)

    async def _counts(self, user: int) -> int:
        entries = (await self._stores.tweets.by_authors((user,), limit=TWEETS_EACH))[0]
        originals = entries[entries[:, 1] == 0][:, 0].tolist()
        before = await self._stores.engagement.counts(originals)
        return sum(old != new for old, new in zip(before, await self._stores.engagement.recount(originals), strict=True))


def _drift(user: int, what: str, stated: int, counted: int) -> Difference | None:
    return None if stated == counted else Difference(item=user, cause="drifted", detail=f"{what}: {stated} stated, {counted} counted")


async def _paged(page: Callable[[int], Awaitable[Sequence[T]]], place: Callable[[T], int]) -> int:
    """Count a list by its pages."""
    total, at = 0, 0
    while found := await page(at):
        total, at = total + len(found), place(found[-1])
        if len(found) < PAGE:
            break
    return total

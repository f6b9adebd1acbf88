"""Home and user timelines."""

from __future__ import annotations

from .exchange import Answer, Call
from .pages import TimelineOut, answer_of, tweets_answer
from .ratelimits import Rate
from .route import API, Auth, Route
from .site import Site


async def get_home(site: Site, call: Call) -> Answer:
    """A page of one's home timeline, newest first."""
    cursor, limit = call.page()
    if call.in_step and not cursor and (standing := site.twit.standing_home(call.viewer, limit)) is not None:
        parts = site.fragments.standing(call.viewer, standing.page.ids)
        if parts is not None:
            return answer_of(parts, standing.page, timeline=True)
    home = await site.twit.home_timeline(call.viewer, cursor, limit, bare=True)
    return await tweets_answer(site, call.viewer, home.page, timeline=True)


async def get_user_tweets(site: Site, call: Call) -> Answer:
    """A page of one account's tweets and retweets, newest first."""
    cursor, limit = call.page()
    page = await site.twit.user_timeline(call.viewer, call.path_id(), cursor, limit)
    return await tweets_answer(site, call.viewer, page, timeline=True)


ROUTES = (
    Route(method="GET", path=f"{API}/timeline/home", name="get_home", tag="timelines", summary="One's home timeline",
          handler=get_home, rate=Rate.READS, answer=TimelineOut, pages=True, hot=True),
    Route(method="GET", path=f"{API}/users/{{id}}/tweets", name="get_user_tweets", tag="timelines",
          summary="An account's tweets and retweets", handler=get_user_tweets, auth=Auth.OPTIONAL, rate=Rate.READS,
          answer=TimelineOut, pages=True, shared=True, hot=True),
)  # fmt: skip

"""§3.1 and §3.2: who comes, what they ask, how often a second; and the card that sums them up."""

from __future__ import annotations

from .inputs import Inputs
from .row import Row, row

DAY_S = 86_400


def tweets_s(given: Inputs) -> float:
    """Tweets a second, the mean of a day."""
    return given.daily_active * given.tweets_per_user / DAY_S


def reads_s(given: Inputs) -> float:
    """Home timelines a second, the mean of a day."""
    return given.daily_active * given.reads_per_user / DAY_S


def traffic_rows(given: Inputs) -> list[Row]:
    """Users and queries."""
    return [*_users(given), *_queries(given)]


def _users(given: Inputs) -> list[Row]:
    tweets, reads = given.daily_active * given.tweets_per_user, given.daily_active * given.reads_per_user
    requests = given.reads_per_user / max(given.tweets_per_user, 1e-12)
    people = {"daily_active": given.daily_active}
    return [
        row(("3.1", "daily active users"), "input", given.daily_active, "users", says="500 million", said=500e6, inputs=people),
        row(("3.1", "monthly active users"), "input", given.monthly_active, "users", says="800 million", said=800e6,
            inputs={"monthly_active": given.monthly_active, "weekly_active": given.weekly_active},
            omits="no number of accounts, which size the user and follow tables, and none of weekly actives, which size the "
                  "timeline cache (7 days)"),
        row(("3.1", "tweets a day"), "daily_active x tweets_per_user", tweets, "", says="500 million", said=500e6,
            inputs=people | {"tweets_per_user": given.tweets_per_user}),
        row(("3.1", "tweets a day of an active tweeter"), "tweets_per_user / active_tweeters",
            given.tweets_per_user / given.active_tweeters, "", says="1 (active tweeters)", said=1,
            inputs={"tweets_per_user": given.tweets_per_user, "active_tweeters": given.active_tweeters},
            wrong=f"{given.tweets_per_user:g} is the mean over everybody; if only active tweeters posted 1, there would be "
                  f"{given.daily_active * given.active_tweeters / 1e6:.0f}M tweets a day"),
        row(("3.1", "readers to writers, requests"), "reads_per_user / tweets_per_user", requests, ":1", says="1000:1", said=1000,
            inputs={"reads_per_user": given.reads_per_user, "tweets_per_user": given.tweets_per_user, "page": given.page},
            wrong=f"by its own figures {requests:,.0f}:1 in requests and {requests * given.page:,.0f}:1 in tweets shown"),
        row(("3.1", "timeline refreshes a user and day"), "input", given.reads_per_user, "", says="10", said=10,
            inputs={"reads_per_user": given.reads_per_user}),
        row(("3.1", "timeline requests a day"), "daily_active x reads_per_user", reads, "", says="5 billion", said=5e9,
            inputs=people | {"reads_per_user": given.reads_per_user}),
    ]  # fmt: skip


def _queries(given: Inputs) -> list[Row]:
    searchers = given.daily_active * given.searchers
    searches = searchers * given.searches_per_user
    writes, reads, asked = tweets_s(given), reads_s(given), searches / DAY_S
    write_inputs = {"daily_active": given.daily_active, "tweets_per_user": given.tweets_per_user}
    read_inputs = {"daily_active": given.daily_active, "reads_per_user": given.reads_per_user}
    search_inputs = {"daily_active": given.daily_active, "searchers": given.searchers, "searches_per_user": given.searches_per_user}
    peak, hour = {"peak": given.peak}, given.measured_peak
    return [
        row(("3.2", "peak over mean"), "input", given.peak, "x", says="3x", said=3, inputs=peak | {"measured_peak": hour},
            why=f"a stress: the published peak hour is {hour:g}x, {writes * hour:,.0f} tweets/s and {reads * hour:,.0f} reads/s"),
        row(("3.2", "tweet writes"), "tweets a day / 86,400", writes, "/s", says="~5,800/s", said=5_800,
            peak=writes * given.peak, inputs=write_inputs),
        row(("3.2", "tweet writes at peak"), "tweet writes x peak", writes * given.peak, "/s", says="~17,400/s", said=17_400,
            inputs=write_inputs | peak, why="three times the rounded 5,800; the card says 18K for the same thing"),
        row(("3.2", "timeline reads"), "timeline requests a day / 86,400", reads, "/s", says="~58,000/s", said=58_000,
            peak=reads * given.peak, inputs=read_inputs),
        row(("3.2", "timeline reads at peak"), "timeline reads x peak", reads * given.peak, "/s", says="~174,000/s",
            said=174_000, inputs=read_inputs | peak),
        row(("3.2", "people who search"), "daily_active x searchers", searchers, "users", says="50M users", said=50e6,
            inputs=search_inputs),
        row(("3.2", "searches a day"), "people who search x searches_per_user", searches, "", says="250M", said=250e6,
            inputs=search_inputs),
        row(("3.2", "search queries"), "searches a day / 86,400", asked, "/s", says="~2,900/s", said=2_900,
            peak=asked * given.peak, inputs=search_inputs,
            omits=f"no peak, which tweets and reads have: {asked * given.peak:,.0f}/s at {given.peak:g}x"),
    ]  # fmt: skip


def card_rows(given: Inputs) -> list[Row]:
    """The key numbers of the quick reference card."""
    writes, reads = tweets_s(given), reads_s(given)
    write_inputs = {"daily_active": given.daily_active, "tweets_per_user": given.tweets_per_user}
    read_inputs = {"daily_active": given.daily_active, "reads_per_user": given.reads_per_user}
    return [
        row(("card", "tweet write"), "tweet writes", writes, "/s", says="~6K/s", said=6_000, inputs=write_inputs),
        row(("card", "tweet write at peak"), "tweet writes x peak", writes * given.peak, "/s", says="18K/s", said=18_000,
            inputs=write_inputs | {"peak": given.peak}, wrong="three times the twice-rounded 6K; §3.2 has 17,400"),
        row(("card", "timeline read"), "timeline reads", reads, "/s", says="~58K/s", said=58_000, inputs=read_inputs),
        row(("card", "timeline read at peak"), "timeline reads x peak", reads * given.peak, "/s", says="174K/s", said=174_000,
            inputs=read_inputs | {"peak": given.peak}),
    ]  # fmt: skip

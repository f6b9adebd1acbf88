"""How many bytes of payload an answer or a write moves: one measure for the core's calls, the oracle and the kernels.

Payload only: what a protocol, an index or a replica adds is the business of `fleet/`.
"""

from __future__ import annotations

from ...core.model import Tweet, User

ENTRY = 16  # tweet id, id of what it retweets
ID = 8
DELIVERY = ID + ENTRY  # the reader's id and the entry
COUNTS = 4 * 8
PROFILE_COUNTS = 3 * 8
EVENT = 96  # kind, ids, moment, request id
FLAG = 1
SHOWN = 570  # one tweet of a page as JSON: a page of fifty is about 28 KB
TWEET_FIXED = 8 * 8 + 8  # ids, moments, lengths
USER_FIXED = 4 * 8


def tweet_bytes(tweet: Tweet | None) -> int:
    """What one tweet weighs as it is stored; nothing weighs nothing."""
    if tweet is None:
        return 0
    strings = (tweet.text, *tweet.hashtags, *tweet.mention_names, *tweet.urls, *tweet.media)
    return TWEET_FIXED + sum(len(one.encode()) for one in strings) + ID * len(tweet.mentions)


def user_bytes(user: User | None) -> int:
    """What one profile weighs."""
    if user is None:
        return 0
    strings = (user.username, user.display_name, user.bio, user.profile_image, user.location, user.website)
    return USER_FIXED + sum(len(one.encode()) for one in strings)

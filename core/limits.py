"""Every bound of the service, each with its reason. `TWIT_LIMITS_<NAME>` sets one; tests make them small.

A limit of the table in the design is written `TWEET_CHARS_MAX` there and `limits.tweet_chars_max` here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .errors import Invalid

DAY_MS = 86_400_000
ENV_PREFIX = "TWIT_LIMITS_"


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All bounds; whole numbers, units last. Each must be at least 1 unless it says otherwise."""

    # timelines (the first six are the system design's)
    tweet_chars_max: int = 280  # code points after NFC
    timeline_entries_max: int = 800  # cached entries a user: 12.8 KB
    timeline_page_default: int = 50
    timeline_page_max: int = 200
    celebrity_followers_min: int = 10_000  # strictly more followers than this: pulled, not pushed
    fanout_batch: int = 1_000  # followers in one push
    inactive_after_ms: int = 7 * DAY_MS  # not seen for this long: no pushes, timeline dropped, rebuilt on return
    celebrity_followers_exit: int = 9_000  # regular again only below this: hysteresis
    retweet_dedupe_window: int = 40  # next older visible candidates that can hide a repetition
    merge_on_follow_max: int = 200  # tweets of a new followee merged into the cached timeline
    following_max: int = 5_000  # followees a user: bounds every merge
    scan_max: int = 2_000  # candidates looked at for one page
    seen_write_ms: int = 3_600_000  # "seen" is written at most this often
    rebuild_wait_ms: int = 500  # waiting for another's rebuild; after it one builds without caching
    rebuild_takeover_ms: int = 5_000  # a row in building for longer has lost its builder
    backfill_entries_max: int = 800  # tweets pushed when an author leaves celebrity: a full timeline of them

    # people
    username_chars_max: int = 50
    password_chars_min: int = 10  # NIST SP 800-63B asks for 8 at least
    password_chars_max: int = 256  # bounds the work of hashing
    email_chars_max: int = 254  # RFC 5321 path
    display_name_chars_max: int = 100  # §6.1
    bio_chars_max: int = 500
    url_chars_max: int = 500  # profile_image, banner_image: §6.1
    location_chars_max: int = 100
    website_chars_max: int = 200
    deactivation_grace_ms: int = 30 * DAY_MS  # logging in within this brings the account back whole

    # requests
    idempotency_ttl_ms: int = DAY_MS
    idempotency_key_chars_max: int = 128
    media_per_tweet_max: int = 4
    mentions_per_tweet_max: int = 50  # 280 characters hold more @a than any reader wants told
    body_bytes_max: int = 65_536  # JSON bodies
    cursor_chars_max: int = 128
    page_users_max: int = 200
    thread_ancestors_max: int = 200  # ancestors shown above a tweet; older ones by following reply_to
    request_deadline_ms: int = 5_000
    requests_in_flight_max: int = 1_024  # past it the gateway sheds

    # stores
    store_timeout_ms: int = 5_000  # each call
    write_queue_max: int = 16_384  # waiting writes; past it StoreTimeout at once
    write_batch_max: int = 512  # operations in one commit
    event_batch: int = 512  # events a consumer reads at once
    event_attempts_max: int = 5  # then the event is parked
    event_retention_ms: int = 7 * DAY_MS  # events that every consumer has passed are dropped after this
    follower_chunk: int = 4_096  # ids in one packed follower chunk

    # process caches, counted in elements
    cached_tweets_max: int = 500_000
    cached_fragments_max: int = 200_000
    cached_users_max: int = 500_000
    cached_viewers_max: int = 50_000
    cached_likes_per_viewer_max: int = 2_000
    celebrity_list_entries: int = 200  # newest entries kept a celebrity in the process; older ones from the store

    # rate limits: (at once, refill); see core/gateway/ratelimits.py for which route takes which
    rate_reads_burst: int = 120
    rate_reads_per_min: int = 60
    rate_anonymous_reads_per_min: int = 30
    rate_posts_per_3h: int = 300
    rate_follows_per_day: int = 400
    rate_signups_per_h: int = 10
    rate_logins_per_min_address: int = 10
    rate_logins_per_min_account: int = 5

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 1:
                what = f"limit {name} is {getattr(self, name)}; it must be at least 1"
                raise Invalid(what, field=name)
        if self.celebrity_followers_exit > self.celebrity_followers_min:
            what = "celebrity_followers_exit is above celebrity_followers_min"
            raise Invalid(what, field="celebrity_followers_exit", meaning="authors would flap between push and pull")


def limits_from(environ: Mapping[str, str]) -> Limits:
    """Return the limits with every `TWIT_LIMITS_<NAME>` of `environ` applied.

    Raises `Invalid` for an unknown name or a value that is not a whole number.
    """
    changed: dict[str, int] = {}
    for key, value in environ.items():
        if not key.startswith(ENV_PREFIX):
            continue
        name = key.removeprefix(ENV_PREFIX).lower()
        if name not in Limits.__struct_fields__:
            what = f"{key}: no limit of that name"
            raise Invalid(what, field=key, try_="see core/limits.py or `twit config explain limits`")
        if not value.strip().lstrip("-").isdigit():
            what = f"{key}={value!r} is not a whole number"
            raise Invalid(what, field=key)
        changed[name] = int(value)
    return Limits(**changed)

"""§3.3 and §3.4: bytes kept and bytes moved."""

from __future__ import annotations

import math

from .inputs import Inputs
from .row import Row, row
from .text import amount
from .traffic import reads_s, tweets_s

ID_FIELDS = 3  # tweet_id, user_id, created_at


def tweet_bytes(given: Inputs) -> float:
    """A stored tweet as the design counts it: fields of ids, one byte a character, metadata; rounded to hundreds, as it does."""
    return max(100.0, round(_fields(given), -2))


def _fields(given: Inputs) -> float:
    return ID_FIELDS * given.id_bytes + given.text_chars + given.metadata_bytes


def storage_rows(given: Inputs) -> list[Row]:
    """Storage and bandwidth."""
    return [*_tweets(given), *_media(given), *_users(given), *_incoming(given), *_outgoing(given)]


def _tweets(given: Inputs) -> list[Row]:
    one, utf8 = tweet_bytes(given), given.text_chars * given.char_bytes_max
    daily = given.daily_active * given.tweets_per_user * one
    kept = daily * 365 * given.years
    copies = kept * given.replication
    sizes = {"id_bytes": given.id_bytes, "text_chars": given.text_chars, "metadata_bytes": given.metadata_bytes}
    tweets = {"daily_active": given.daily_active, "tweets_per_user": given.tweets_per_user}
    rows = [
        row(("3.3", f"{name} of a tweet"), "input", value, "B", says=f"{said:g} bytes", said=said, inputs={key: value})
        for name, key, value, said in (
            ("tweet_id", "id_bytes", given.id_bytes, 8), ("user_id", "id_bytes", given.id_bytes, 8),
            ("created_at", "id_bytes", given.id_bytes, 8), ("metadata", "metadata_bytes", given.metadata_bytes, 100),
        )
    ]  # fmt: skip
    return [
        *rows,
        row(("3.3", "text of a tweet"), "text_chars x char_bytes_max", utf8, "B", says="280 bytes (max)", said=280,
            inputs={"text_chars": given.text_chars, "char_bytes_max": given.char_bytes_max},
            wrong=f"{given.text_chars:g} is characters: up to {utf8:,.0f} bytes of UTF-8; the mean text is far shorter"),
        row(("3.3", "a tweet"), "3 x id_bytes + text_chars + metadata_bytes", _fields(given), "B", says="~400 bytes", said=400,
            inputs=sizes, why=f"with the longest text {_fields(given) - given.text_chars + utf8:,.0f} B"),
        row(("3.3", "tweets a day"), "tweets a day x a tweet, rounded to hundreds", daily, "B", says="200 GB/day", said=200e9,
            inputs=tweets | sizes),
        row(("3.3", "tweets in five years"), "tweets a day x 365 x years", kept, "B", says="365 TB", said=365e12,
            inputs=tweets | sizes | {"years": given.years, "replication": given.replication},
            omits=f"replication (RF {given.replication:g}: {amount(copies, 'B')}, at least "
                  f"{math.ceil(copies / given.cassandra_node_bytes):,} Cassandra nodes by disk), indexes (user_tweets, likes), growth"),
    ]  # fmt: skip


def _media(given: Inputs) -> list[Row]:
    daily = given.daily_active * given.tweets_per_user * given.media_share * given.media_bytes
    inputs = {
        "daily_active": given.daily_active, "tweets_per_user": given.tweets_per_user, "media_share": given.media_share,
        "media_bytes": given.media_bytes,
    }  # fmt: skip
    return [
        row(("3.3", "tweets with media"), "input", given.media_share, "%", says="30 %", said=0.3, inputs={"media_share": given.media_share}),
        row(("3.3", "a medium"), "input", given.media_bytes, "B", says="1 MB", said=1e6, inputs={"media_bytes": given.media_bytes}),
        row(("3.3", "media a day"), "tweets a day x media_share x media_bytes", daily, "B", says="150 TB/day", said=150e12, inputs=inputs),
        row(("3.3", "media in five years"), "media a day x 365 x years", daily * 365 * given.years, "B", says="274 PB",
            said=274e15, inputs=inputs | {"years": given.years},
            omits=f"the sizes in which it is shown (§3.4 serves {amount(given.media_view_bytes, 'B')} of each "
                  f"{amount(given.media_bytes, 'B')}), growth, a second region; an object store replicates inside its price"),
    ]  # fmt: skip


def _users(given: Inputs) -> list[Row]:
    records, edges = given.monthly_active * given.user_bytes, given.monthly_active * given.following
    pairs, indexed = edges * 2 * given.id_bytes, edges * given.edge_bytes
    people, following = {"monthly_active": given.monthly_active}, {"following": given.following}
    return [
        row(("3.3", "user data"), "monthly_active x user_bytes", records, "B", says="800 GB", said=800e9,
            inputs=people | {"user_bytes": given.user_bytes},
            omits="accounts that no longer come, the two unique indexes of §6.1 and a replica of each shard"),
        row(("3.3", "average followers"), "input", given.following, "", says="200", said=200, inputs=following,
            why="the graph of 2012 had 45.5 at 505M accounts (Gabielkov 2014): 200 fits actives, not accounts"),
        row(("3.3", "follow relationships"), "monthly_active x following x 2 x id_bytes", pairs, "B", says="2.56 TB", said=2.56e12,
            inputs=people | following | {"id_bytes": given.id_bytes, "edge_bytes": given.edge_bytes},
            omits=f"the product is right, but both directions and the indexes of §6.1 take {given.edge_bytes:g} B an edge: "
                  f"{amount(indexed, 'B')}, {indexed / max(pairs, 1):.1f}x, before replicas"),
    ]  # fmt: skip


def _incoming(given: Inputs) -> list[Row]:
    writes = tweets_s(given)
    text, uploads = writes * tweet_bytes(given), writes * given.media_share
    media, peak = uploads * given.media_bytes, given.peak
    tweets = {"daily_active": given.daily_active, "tweets_per_user": given.tweets_per_user, "peak": peak}
    media_inputs = tweets | {"media_share": given.media_share, "media_bytes": given.media_bytes}
    mean = f"a mean: at {peak:g}x "
    return [
        row(("3.4", "incoming text"), "tweet writes x a tweet", text, "B/s", says="2.3 MB/s", said=2.3e6, peak=text * peak, inputs=tweets),
        row(("3.4", "uploads"), "tweet writes x media_share", uploads, "/s", says="1,740/s", said=1_740, peak=uploads * peak,
            inputs=tweets | {"media_share": given.media_share}),
        row(("3.4", "incoming media"), "uploads x media_bytes", media, "B/s", says="1.74 GB/s", said=1.74e9, peak=media * peak,
            inputs=media_inputs, omits=mean + amount(media * peak, "B/s")),
        row(("3.4", "incoming in total"), "incoming text + incoming media", text + media, "B/s", says="~1.75 GB/s", said=1.75e9,
            peak=(text + media) * peak, inputs=media_inputs, omits=mean + amount((text + media) * peak, "B/s")),
    ]  # fmt: skip


def _outgoing(given: Inputs) -> list[Row]:
    reads, peak = reads_s(given), given.peak
    stored, sent = reads * given.page * tweet_bytes(given), reads * given.page_json_bytes
    shown = given.page * given.media_share
    media = reads * shown * given.media_view_bytes
    basis = {"daily_active": given.daily_active, "reads_per_user": given.reads_per_user, "page": given.page, "peak": peak}
    pictures = basis | {"media_share": given.media_share, "media_view_bytes": given.media_view_bytes}
    said = reads * 10 * given.media_view_bytes
    return [
        row(("3.4", "timelines at 400 B a tweet"), "timeline reads x page x a tweet", stored, "B/s", says="1.16 GB/s", said=1.16e9,
            peak=stored * peak, inputs=basis, why="the arithmetic is right; what goes out is JSON: next row"),
        row(("3.4", "timelines as they are sent"), "timeline reads x page_json_bytes", sent, "B/s", says="1.16 GB/s", said=1.16e9,
            peak=sent * peak, inputs=basis | {"page_json_bytes": given.page_json_bytes},
            wrong=f"400 B is the stored record; a page of JSON is about {amount(given.page_json_bytes, 'B')}; and a mean, not the peak"),
        row(("3.4", "media a page"), "page x media_share", shown, "", says="10", said=10, inputs=pictures,
            wrong=f"{given.page:g} tweets of which {100 * given.media_share:g} % have media are {shown:g} media"),
        row(("3.4", "outgoing media at 10 a page"), "timeline reads x 10 x media_view_bytes", said, "B/s", says="58 GB/s", said=58e9,
            peak=said * peak, inputs=pictures, why="the arithmetic is right; the 10 is not: next row"),
        row(("3.4", "outgoing media"), "timeline reads x media a page x media_view_bytes", media, "B/s", says="58 GB/s",
            said=58e9, peak=media * peak, inputs=pictures,
            wrong=f"{shown:g} media a page, not 10; a mean: {amount(media * peak, 'B/s')} at {peak:g}x, of which a CDN takes what it hits"),
        row(("3.4", "outgoing in total"), "timelines as they are sent + outgoing media", sent + media, "B/s", says="~60 GB/s",
            said=60e9, peak=(sent + media) * peak, inputs=pictures, wrong="follows from the two above"),
    ]  # fmt: skip

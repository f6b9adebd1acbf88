"""The keyspace: its tables, in numbered steps, and the check that it is the one this version works with.

Tables are made by `init` alone. No column is written both by compare-and-set and by plain statements: a Paxos round stamps
what it writes with the server's time, plain statements carry ours (docs/decisions/0013).
"""

from __future__ import annotations

from ...errors import StoreCorrupt
from .bridge import Bridge
from .cassandra_driver import INIT_HINT, Driver, keyspace_of, translate
from .config import LiveConfig

INIT_TIMEOUT_MS = 300_000

# A deleted row of a list must not come back for longer than a replica may be away: hints are kept 3 h. Where one does all the
# same, nobody sees it: who reads a list of tweets drops those that `tweets` calls deleted. Tombstones go after 6 h.
_SHORT_GRACE = "gc_grace_seconds = 21600"
# A like has no other row that would catch it, so a repair within three days has to.
_LIKES_GRACE = "gc_grace_seconds = 259200"
_LEVELED = "compaction = {'class': 'LeveledCompactionStrategy'}"
_HOURLY = "compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'HOURS', 'compaction_window_size': 1}"


def _list(name: str, columns: str, order: str, grace: str = _SHORT_GRACE) -> str:
    owner, bucket, member, ref = columns.split()
    return f"""CREATE TABLE IF NOT EXISTS {name} ({owner} bigint, {bucket} int, {member} bigint, {ref} bigint,
PRIMARY KEY (({owner}, {bucket}), {member})) WITH CLUSTERING ORDER BY ({member} {order}) AND {grace}"""


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # the truth of a tweet; deleted_us and deletion by compare-and-set, the others by plain writes
        f"""CREATE TABLE IF NOT EXISTS tweets (tweet_id bigint PRIMARY KEY, author_id bigint, text text, created_ms bigint,
reply_to bigint, reply_to_author bigint, conversation_id bigint, retweet_of bigint, retweet_of_author bigint, quote_of bigint,
quote_of_author bigint, entities blob, deleted_us bigint, deletion blob, buried boolean) WITH {_LEVELED}""",
        _list("user_tweets", "author_id month tweet_id retweet_of", "DESC"),
        _list("conversations", "conversation_id bucket tweet_id author_id", "ASC"),
        _list("replies", "reply_to bucket tweet_id author_id", "ASC"),
        _list("retweets", "retweet_of bucket tweet_id author_id", "DESC"),
        _list("quotes", "quote_of bucket tweet_id author_id", "DESC"),
        _list("tweet_likes", "tweet_id bucket sequence user_id", "DESC", _LIKES_GRACE),
        _list("user_likes", "user_id month sequence tweet_id", "DESC", _LIKES_GRACE),
        # which buckets an owner has in a list
        """CREATE TABLE IF NOT EXISTS list_buckets (list text, owner bigint, bucket int,
PRIMARY KEY ((list, owner), bucket)) WITH CLUSTERING ORDER BY (bucket DESC)""",
        # the truth of a like; settled_us by plain writes, the others by compare-and-set
        f"""CREATE TABLE IF NOT EXISTS likes (user_id bigint, month int, tweet_id bigint, standing boolean, sequence bigint,
at_ms bigint, claim_us bigint, events blob, settled_us bigint, PRIMARY KEY ((user_id, month), tweet_id)) WITH {_LEVELED}""",
        # one standing retweet a (user, original); stood and undone by plain writes, the others by compare-and-set
        f"""CREATE TABLE IF NOT EXISTS retweets_by (user_id bigint, month int, original bigint, tweet_id bigint, created_ms bigint,
claim_us bigint, stood bigint, undone bigint, PRIMARY KEY ((user_id, month), original)) WITH {_LEVELED}""",
        # rows lapse with their keys, so whole files of an hour can go
        f"""CREATE TABLE IF NOT EXISTS idempotency (user_id bigint, key text, body_hash blob, expires_ms bigint, tweet_id bigint,
created_ms bigint, claim_us bigint, PRIMARY KEY (user_id, key)) WITH {_SHORT_GRACE} AND {_HOURLY}""",
        """CREATE TABLE IF NOT EXISTS tweet_counts (tweet_id bigint PRIMARY KEY, likes counter, retweets counter, replies counter,
quotes counter)""",
        "CREATE TABLE IF NOT EXISTS author_counts (author_id bigint PRIMARY KEY, tweets counter)",
        # events not yet in Kafka; written and deleted within seconds, each slot and minute is read about twice and then never again
        f"""CREATE TABLE IF NOT EXISTS outbox (slot int, minute int, at_us bigint, ident blob, event blob,
PRIMARY KEY ((slot, minute), at_us, ident)) WITH {_SHORT_GRACE} AND {_HOURLY}""",
        "CREATE TABLE IF NOT EXISTS outbox_mark (name text PRIMARY KEY, minute int)",
    ),
)
VERSION = len(MIGRATIONS)
_VERSIONS = "CREATE TABLE IF NOT EXISTS schema_version (name text PRIMARY KEY, version int)"


def found_version(driver: Driver, keyspace: str) -> int:
    """The schema's version, 0 for none. Blocks."""
    tables = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{}' AND table_name = 'schema_version'"
    if not driver.define(tables.format(keyspace)):
        return 0
    rows = driver.define(f"SELECT version FROM {keyspace}.schema_version WHERE name = 'twit'")  # noqa: S608 - a checked name
    return rows[0][0] if rows else 0


def check_version(driver: Driver, keyspace: str) -> None:
    """Raise `StoreCorrupt`, with what to run, unless the schema is the one we work with. Blocks."""
    found = found_version(driver, keyspace)
    if found > VERSION:
        _refuse_newer(keyspace, found)
    if found < VERSION:
        what = f"Cassandra keyspace {keyspace} has schema version {found}, this twit works with {VERSION}"
        raise StoreCorrupt(what, code="SCHEMA_MISSING", try_=INIT_HINT)


def _refuse_newer(keyspace: str, found: int) -> None:
    what = f"Cassandra keyspace {keyspace} has schema version {found}, this twit knows {VERSION} at most"
    raise StoreCorrupt(what, code="SCHEMA_NEWER", meaning="a newer twit made it", try_="use that version")


def migrate(driver: Driver, config: LiveConfig) -> None:
    """Make the keyspace and apply the steps that are missing. Again is harmless, also after a step that broke off. Blocks."""
    keyspace = keyspace_of(config)
    found = found_version(driver, keyspace)
    if found > VERSION:
        _refuse_newer(keyspace, found)
    if found < VERSION:
        datacenter = config.local_datacenter.replace("'", "''")
        placed = f"{{'class': 'NetworkTopologyStrategy', '{datacenter}': {config.replication}}}"
        driver.define(f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {placed}")
    driver.use(keyspace)
    driver.define(_VERSIONS)
    for number, steps in enumerate(MIGRATIONS[found:], found + 1):
        for step in steps:
            driver.define(step)
        driver.define(f"INSERT INTO schema_version (name, version) VALUES ('twit', {number})")  # noqa: S608 - a number of ours


async def init(config: LiveConfig) -> None:
    """`migrate` off the loop, with a connection of its own."""
    bridge = Bridge("cassandra-init", 1, INIT_TIMEOUT_MS, translate)

    def work() -> None:
        driver = Driver(config, INIT_TIMEOUT_MS)
        try:
            migrate(driver, config)
        finally:
            driver.close()

    try:
        await bridge.run(work)
    finally:
        bridge.close()

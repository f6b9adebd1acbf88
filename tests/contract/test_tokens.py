"""The port `Tokens`: a log-in holds until it is revoked, alone or with all others of its user."""

from twit.core.events import Event, EventKind
from twit.core.model import Session

ADA, BOB = 1, 2
REVOKED = Event(kind=EventKind.SESSIONS_REVOKED, key=ADA, actor=ADA)


def session(token, user):
    return Session(token_hash=token * 32, user_id=user, created_ms=5)


async def test_a_log_in_is_found_by_its_hash(stores):
    await stores.tokens.put(session(b"a", ADA))
    assert await stores.tokens.get(b"a" * 32) == session(b"a", ADA)
    assert await stores.tokens.get(b"b" * 32) is None


async def test_revoking_ends_one_and_tells_once(stores):
    for token in (b"a", b"b"):
        await stores.tokens.put(session(token, ADA))
    assert [await stores.tokens.revoke(b"a" * 32, [REVOKED]) for _ in range(2)] == [True, False]
    assert await stores.tokens.get(b"a" * 32) is None
    assert await stores.tokens.get(b"b" * 32) is not None
    assert [logged.event for logged in await stores.log.read(0, 10)] == [REVOKED]


async def test_revoking_all_leaves_others_logged_in(stores):
    for token, user in ((b"a", ADA), (b"b", ADA), (b"c", BOB)):
        await stores.tokens.put(session(token, user))
    assert [await stores.tokens.revoke_all(ADA, [REVOKED]) for _ in range(2)] == [2, 0]
    assert [await stores.tokens.get(token * 32) is None for token in (b"a", b"b", b"c")] == [True, True, False]
    assert await stores.log.tail() == 1


async def test_putting_twice_is_putting_once(stores):
    for _ in range(2):
        await stores.tokens.put(session(b"a", ADA))
    assert await stores.tokens.revoke_all(ADA, []) == 1

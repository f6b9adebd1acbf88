"""The port `Accounts`: dense ids, names that are one without case, counts, and events only for what changed."""

import msgspec
import pytest

from twit.core.errors import Conflict, NotFound
from twit.core.events import Event, EventKind
from twit.core.model import AccountStatus, NewAccount, NewTweet, Tweet, UserCounts


def new(name, email="", **more):
    return NewAccount(username=name, email=email, password_hash="hash", display_name=name.title(), created_ms=7, **more)


def changed(user_id):
    return Event(kind=EventKind.PROFILE_CHANGED, key=user_id, actor=user_id)


async def kinds(stores):
    return [logged.event.kind for logged in await stores.log.read(0, 1_000)]


async def test_ids_are_dense_from_one(stores):
    first = await stores.accounts.create([new("ada"), new("bob")])
    then = await stores.accounts.create([new("cleo")])
    assert [user.user_id for user in first + then] == [1, 2, 3]
    assert await stores.accounts.count() == 3


async def test_an_account_is_told_of_by_one_event(stores):
    (ada,) = await stores.accounts.create([new("ada")])
    (logged,) = await stores.log.read(0, 10)
    assert logged.event == Event(kind=EventKind.USER_CREATED, key=ada.user_id, actor=ada.user_id, at_ms=7)


async def test_a_name_is_found_without_case_and_shown_as_it_was_given(stores):
    (ada,) = await stores.accounts.create([new("AdaL")])
    assert await stores.accounts.ids_of(["adal", "ADAL", "nobody"]) == [ada.user_id, ada.user_id, 0]
    assert (await stores.accounts.get([ada.user_id]))[0].username == "AdaL"


@pytest.mark.parametrize(("taker", "code"), [
    (new("ADA", "new@x.org"), "USERNAME_TAKEN"),
    (new("eve", "ADA@x.org"), "EMAIL_TAKEN"),
])
async def test_what_is_taken_refuses_the_whole_call(stores, taker, code):
    await stores.accounts.create([new("ada", "ada@x.org")])
    with pytest.raises(Conflict) as refused:
        await stores.accounts.create([new("fay", "fay@x.org"), taker])
    assert refused.value.code == code
    assert await stores.accounts.count() == 1
    assert await stores.accounts.ids_of(["fay"]) == [0]
    assert len(await stores.log.read(0, 10)) == 1


async def test_a_name_twice_in_one_call_is_taken_too(stores):
    with pytest.raises(Conflict):
        await stores.accounts.create([new("ada"), new("Ada")])
    assert await stores.accounts.count() == 0


async def test_ids_stay_dense_after_a_refusal(stores):
    await stores.accounts.create([new("ada")])
    with pytest.raises(Conflict):
        await stores.accounts.create([new("bob"), new("ada")])
    (cleo,) = await stores.accounts.create([new("cleo")])
    assert cleo.user_id == 2


async def test_many_may_have_no_e_mail(stores):
    assert len(await stores.accounts.create([new("ada"), new("bob")])) == 2


async def test_answers_come_in_the_order_of_the_question(stores):
    await stores.accounts.create([new("ada"), new("bob")])
    found = await stores.accounts.get([2, 99, 1, 2])
    assert [user and user.username for user in found] == ["bob", None, "ada", "bob"]
    assert await stores.accounts.get([]) == []


async def test_an_update_replaces_all_but_the_name(stores):
    (ada,) = await stores.accounts.create([new("ada", "ada@x.org")])
    wanted = msgspec.structs.replace(ada, username="eve", bio="b", is_private=True, status=AccountStatus.DEACTIVATED,
                                     deactivated_ms=9, email="a@y.org")
    await stores.accounts.update(wanted, [changed(1)])
    assert await stores.accounts.get([1]) == [msgspec.structs.replace(wanted, username="ada")]
    assert await stores.accounts.ids_of(["eve", "ada"]) == [0, 1]
    assert (await stores.accounts.credentials(1)).status is AccountStatus.DEACTIVATED
    assert (await kinds(stores))[-1] is EventKind.PROFILE_CHANGED


async def test_an_update_that_changes_nothing_tells_nothing(stores):
    (ada,) = await stores.accounts.create([new("ada")])
    await stores.accounts.update(ada, [changed(1)])
    assert await kinds(stores) == [EventKind.USER_CREATED]


async def test_an_old_e_mail_becomes_free_and_a_taken_one_is_refused(stores):
    ada, bob = await stores.accounts.create([new("ada", "ada@x.org"), new("bob", "bob@x.org")])
    with pytest.raises(Conflict) as refused:
        await stores.accounts.update(msgspec.structs.replace(bob, email="ADA@x.org"), [changed(2)])
    assert refused.value.code == "EMAIL_TAKEN"
    await stores.accounts.update(msgspec.structs.replace(ada, email=""), [])
    await stores.accounts.update(msgspec.structs.replace(bob, email="ADA@x.org"), [changed(2)])
    assert (await kinds(stores)).count(EventKind.PROFILE_CHANGED) == 1


async def test_updating_nobody_is_not_found(stores):
    (ada,) = await stores.accounts.create([new("ada")])
    with pytest.raises(NotFound):
        await stores.accounts.update(msgspec.structs.replace(ada, user_id=5), [changed(5)])
    assert await kinds(stores) == [EventKind.USER_CREATED]


async def test_a_password_changes_alone(stores):
    (ada,) = await stores.accounts.create([new("ada")])
    assert (await stores.accounts.credentials(1)).password_hash == "hash"
    await stores.accounts.update(ada, [changed(1)], password_hash="other")
    await stores.accounts.update(msgspec.structs.replace(ada, bio="b"), [])
    assert (await stores.accounts.credentials(1)).password_hash == "other"
    assert await stores.accounts.credentials(9) is None


async def test_pages_go_through_everyone_once(stores):
    await stores.accounts.create([new(f"user{number}") for number in range(7)])
    met, after = [], 0
    while page := await stores.accounts.page(after, 3):
        met += [user.user_id for user in page]
        after = met[-1]
    assert met == [1, 2, 3, 4, 5, 6, 7]


async def test_counts_follow_the_rows(stores):
    await stores.accounts.create([new("ada"), new("bob")])
    await stores.tweets.put([NewTweet(tweet=Tweet(tweet_id=10 + number, author_id=1)) for number in range(3)])
    await stores.tweets.delete([10, 10], [(), ()])
    assert await stores.accounts.counts([1, 2, 99]) == [UserCounts(tweets=2), UserCounts(), UserCounts()]


async def test_tens_of_thousands_are_one_call(stores):
    users = await stores.accounts.create([new(f"user{number}", f"{number}@x.org") for number in range(20_000)])
    assert (users[0].user_id, users[-1].user_id) == (1, 20_000)
    assert await stores.log.tail() == 20_000


async def test_accounts_deactivated_before_a_moment_are_found_until_they_return(stores):
    ada, bob, cleo = await stores.accounts.create([new("ada"), new("bob"), new("cleo")])
    for user, since_ms in ((ada, 10), (bob, 20), (cleo, 30)):
        away = msgspec.structs.replace(user, status=AccountStatus.DEACTIVATED, deactivated_ms=since_ms)
        await stores.accounts.update(away, [changed(user.user_id)])
    await stores.accounts.update(ada, [changed(ada.user_id)])
    assert [user.user_id for user in await stores.accounts.deactivated(30, 10)] == [bob.user_id]
    assert [user.user_id for user in await stores.accounts.deactivated(31, 1)] == [bob.user_id]
    assert [user.user_id for user in await stores.accounts.deactivated(31, 10)] == [bob.user_id, cleo.user_id]

"""Accounts: names, log-ins and what ends them, profiles, going away and coming back."""

from __future__ import annotations

import pytest
from builders import PASSWORD, home, make_friends, make_user, make_users, settle

from twit.core.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from twit.core.events import EventKind
from twit.core.model import AccountStatus
from twit.core.shown import Follow

DAY_S = 86_400


async def join(twit, name="ada", password=PASSWORD, **more):
    return await twit.sign_up(name, f"{name}@example.com", password, **more)


# signing up
async def test_signing_up_logs_in_and_gives_an_empty_timeline(twit):
    user, token = await join(twit, "Ada_1")
    assert (user.username, user.display_name, user.status) == ("Ada_1", "Ada_1", AccountStatus.ACTIVE)
    assert await twit.authenticate(token) == user.user_id
    assert await home(twit, user.user_id) == []


async def test_tokens_are_256_bits_and_stored_nowhere(twit, tmp_path):
    _, token = await join(twit)
    assert len(token) == 43
    assert not [file for file in (tmp_path / "data").iterdir() if file.is_file() and token.encode() in file.read_bytes()]


@pytest.mark.parametrize("name", ["a", "a" * 50, "_", "0"])
async def test_names_within_their_limits(twit, name):
    user, _ = await twit.sign_up(name, "x@example.com", PASSWORD)
    assert user.username == name


@pytest.mark.parametrize("name", ["", "a" * 51, "ada!", "ada lovelace", "adä", "a\n", "@@a", "a-b"])
async def test_names_outside_them(twit, name):
    with pytest.raises(Invalid) as refused:
        await twit.sign_up(name, "x@example.com", PASSWORD)
    assert refused.value.field == "username"


@pytest.mark.parametrize("size", [10, 11, 255, 256])
async def test_passwords_within_their_limits(twit, size):
    await join(twit, password="é" * size)
    assert await twit.log_in("ada", "é" * size)


@pytest.mark.parametrize("size", [0, 9, 257, 100_000])
async def test_passwords_outside_them(twit, size):
    with pytest.raises(Invalid) as refused:
        await join(twit, password="é" * size)
    assert refused.value.field == "password"


@pytest.mark.parametrize(("size", "fits"), [(253, True), (254, True), (255, False)])
async def test_an_address_at_below_and_above_its_length(twit, size, fits):
    domain = ".".join(["x" * 60] * 3) + ".com"
    email = f"{'a' * 60}@{domain}"
    email = f"{'a' * 60}@{'y' * (size - len(email) - 1)}.{domain}"
    assert len(email) == size
    try:
        user, _ = await twit.sign_up("ada", email, PASSWORD)
    except Invalid as refused:
        assert (fits, refused.field) == (False, "email")
    else:
        assert (fits, user.email) == (True, email)


@pytest.mark.parametrize("email", ["", "ada", "ada@", "@example.com", "a b@example.com", "ada@localhost", "a" * 250 + "@example.com"])
async def test_an_address_that_is_none(twit, email):
    with pytest.raises(Invalid) as refused:
        await twit.sign_up("ada", email, PASSWORD)
    assert refused.value.field == "email"


async def test_names_and_addresses_are_unique_without_case(twit):
    await join(twit)
    with pytest.raises(Conflict) as taken:
        await twit.sign_up("ADA", "other@example.com", PASSWORD)
    assert taken.value.code == "USERNAME_TAKEN"
    with pytest.raises(Conflict) as taken:
        await twit.sign_up("bob", "ada@EXAMPLE.com", PASSWORD)
    assert taken.value.code == "EMAIL_TAKEN"


@pytest.mark.parametrize(("given", "shown"), [("", "ada"), (" \u200b ", "ada"), (" Ada L. ", "Ada L."), ("x" * 100, "x" * 100)])
async def test_the_name_shown(twit, given, shown):
    user, _ = await join(twit, display_name=given)
    assert user.display_name == shown


# log-ins
async def test_wrong_name_and_wrong_password_are_told_in_the_same_words(twit):
    await join(twit)
    told = set()
    for name, password in (("ada", "wrong password"), ("nobody", PASSWORD), ("ada", "x" * 1_000), ("", ""), ("ada", "\ud800" * 10)):
        with pytest.raises(Unauthorized) as refused:
            await twit.log_in(name, password)
        told.add(str(refused.value))
    assert len(told) == 1


async def test_an_account_without_a_password_lets_nobody_in(twit):
    await make_user(twit, "bot")
    with pytest.raises(Unauthorized):
        await twit.log_in("bot", "")


async def test_logging_in_by_any_case_and_with_the_at(twit):
    user, first = await join(twit)
    again, second = await twit.log_in("@ADA", PASSWORD)
    assert again == user
    assert first != second


async def test_logging_out_ends_one_log_in(twit):
    user, first = await join(twit)
    _, second = await twit.log_in("ada", PASSWORD)
    assert await twit.authenticate(first) == user.user_id
    await twit.log_out(first)
    with pytest.raises(Unauthorized):
        await twit.authenticate(first)
    assert await twit.authenticate(second) == user.user_id
    await twit.log_out(first)


@pytest.mark.parametrize("token", ["", "x", "é\ud800", "A" * 43])
async def test_what_is_no_token(twit, token):
    with pytest.raises(Unauthorized):
        await twit.authenticate(token)


async def test_a_log_in_that_ends_elsewhere_ends_here(twit, open_twit):
    other = await open_twit()
    user, token = await join(twit)
    assert await other.authenticate(token) == user.user_id
    await twit.log_out(token)
    with pytest.raises(Unauthorized):
        await other.authenticate(token)


async def test_a_new_password_ends_all_log_ins(twit):
    user, token = await join(twit)
    await twit.set_password(user.user_id, PASSWORD, "battery staple")
    with pytest.raises(Unauthorized):
        await twit.authenticate(token)
    with pytest.raises(Unauthorized):
        await twit.log_in("ada", PASSWORD)
    assert await twit.log_in("ada", "battery staple")


async def test_the_old_password_is_asked_for_but_not_from_the_operator(twit):
    user, _ = await join(twit)
    with pytest.raises(Forbidden):
        await twit.set_password(user.user_id, "wrong password", "battery staple")
    with pytest.raises(Invalid):
        await twit.set_password(user.user_id, PASSWORD, "short")
    await twit.set_password(user.user_id, None, "battery staple")
    assert await twit.log_in("ada", "battery staple")


async def test_a_hash_by_older_parameters_is_replaced_at_log_in(twit):
    from argon2 import PasswordHasher

    from twit.core.model import NewAccount

    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    account = NewAccount(username="ada", email="", password_hash=weak, display_name="ada", created_ms=0)
    (user,) = await twit.accounts.add((account,))
    await twit.log_in("ada", PASSWORD)
    secrets = await twit.stores.accounts.credentials(user.user_id)
    assert secrets.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await twit.log_in("ada", PASSWORD)


# being seen
async def test_being_seen_is_written_at_most_hourly(twit, clock):
    _, token = await join(twit)
    written = []
    touch = twit.stores.timelines.touch
    twit.stores.timelines.touch = lambda readers, now_ms: written.append(now_ms) or touch(readers, now_ms)
    for _ in range(4):
        await twit.authenticate(token)
        clock.advance(1_800)
    assert len(written) == 2


# profiles
async def test_a_profile_is_changed_field_by_field(twit):
    ada = await make_user(twit, "ada")
    changes = {"bio": "one\ntwo", "location": "London", "website": "https://example.com", "profile_image": "/media/1", "email": "new@example.com"}
    await twit.update_profile(ada, changes)
    user = await twit.user(0, ada)
    assert {name: getattr(user, name) for name in changes} == changes
    await twit.update_profile(ada, {"website": "", "display_name": ""})
    assert (await twit.user(0, ada)).display_name == "ada"


@pytest.mark.parametrize(("field", "most"), [("display_name", 100), ("bio", 500), ("location", 100)])
async def test_profile_fields_at_and_above_their_limits(twit, field, most):
    ada = await make_user(twit, "ada")
    for size in (most - 1, most):
        assert getattr(await twit.update_profile(ada, {field: "x" * size}), field) == "x" * size
    with pytest.raises(Invalid) as refused:
        await twit.update_profile(ada, {field: "x" * (most + 1)})
    assert refused.value.field == field


@pytest.mark.parametrize(("field", "most"), [("website", 200), ("profile_image", 500), ("banner_image", 500)])
async def test_links_at_and_above_their_limits(twit, field, most):
    ada = await make_user(twit, "ada")
    link = "https://example.com/".ljust(most, "x")
    assert getattr(await twit.update_profile(ada, {field: link}), field) == link
    with pytest.raises(Invalid):
        await twit.update_profile(ada, {field: link + "x"})


@pytest.mark.parametrize(
    "changes",
    [{"username": "bob"}, {"is_verified": True}, {"bio": 1}, {"is_private": "yes"}, {"is_private": 1}, {"website": "javascript:x"}, {"bio": "\x00"}, {"email": "x"}],
)
async def test_what_cannot_be_changed(twit, changes):
    ada = await make_user(twit, "ada")
    with pytest.raises(Invalid) as refused:
        await twit.update_profile(ada, changes)
    assert refused.value.field in changes


async def test_a_change_that_changes_nothing_is_no_event(twit):
    ada = await make_user(twit, "ada")
    before = await twit.stores.log.tail()
    await twit.update_profile(ada, {"display_name": "ada", "is_private": False})
    assert await twit.stores.log.tail() == before


async def test_accounts_by_name_without_case(twit):
    ada = await make_user(twit, "ada")
    assert (await twit.user_by_name(0, "@ADA")).user_id == ada
    with pytest.raises(NotFound):
        await twit.user_by_name(0, "nobody")
    with pytest.raises(NotFound):
        await twit.user(0, 99)


async def test_one_who_blocks_me_is_not_found_and_one_i_block_is(twit):
    ada, bob = await make_users(twit, "ada bob")
    await twit.block(ada, bob)
    assert (await twit.user(ada, bob)).username == "bob"
    with pytest.raises(NotFound):
        await twit.user(bob, ada)
    await twit.block(bob, ada)
    with pytest.raises(NotFound):
        await twit.user(ada, bob)


# going away
async def test_a_deactivated_account_vanishes_with_its_log_ins_and_comes_back_whole(twit):
    ada, token = await join(twit)
    bob = await make_user(twit, "bob")
    await make_friends(twit, (bob, ada.user_id))
    tweet = await twit.post(ada.user_id, "hello")
    await twit.deactivate(ada.user_id)
    await settle(twit)
    assert await home(twit, bob) == []
    for asked in (twit.user(bob, ada.user_id), twit.tweet(bob, tweet.tweet_id), twit.follow(bob, ada.user_id)):
        with pytest.raises(NotFound):
            await asked
    with pytest.raises(Unauthorized):
        await twit.authenticate(token)
    with pytest.raises(Forbidden):
        await twit.post(ada.user_id, "still here?")
    back, token = await twit.log_in("ada", PASSWORD)
    assert back == ada
    assert await twit.authenticate(token) == ada.user_id
    assert await home(twit, bob) == [tweet.tweet_id]


@pytest.mark.parametrize(("days_s", "returns"), [(30 * DAY_S, True), (30 * DAY_S + 1, False)])
async def test_the_way_back_is_open_for_thirty_days(twit, clock, days_s, returns):
    ada, _ = await join(twit)
    await twit.deactivate(ada.user_id)
    clock.advance(days_s)
    assert await twit.accounts.delete_expired() == (0 if returns else 1)
    if returns:
        assert await twit.log_in("ada", PASSWORD)
    else:
        with pytest.raises(Unauthorized):
            await twit.log_in("ada", PASSWORD)


async def test_after_thirty_days_everything_but_the_name_is_gone(open_twit, clock):
    twit = await open_twit(event_batch=2, fanout_batch=2)
    ada, _ = await join(twit)
    others = await make_users(twit, "bob cy dee")
    await make_friends(twit, *((other, ada.user_id) for other in others), *((ada.user_id, other) for other in others))
    tweets = [await twit.post(ada.user_id, f"tweet {number}") for number in range(5)]
    theirs = await twit.post(others[0], "of bob")
    await twit.like(ada.user_id, theirs.tweet_id)
    await twit.retweet(ada.user_id, theirs.tweet_id)
    await twit.block(ada.user_id, others[2])
    await twit.deactivate(ada.user_id)
    clock.advance(31 * DAY_S)
    assert await twit.accounts.delete_expired() == 1
    assert await twit.accounts.delete_expired() == 0
    await settle(twit)
    (gone,) = await twit.stores.accounts.get((ada.user_id,))
    assert (gone.status, gone.username, gone.email) == (AccountStatus.DELETED, "ada", "")
    assert all(tweet.deleted for tweet in await twit.stores.tweets.get([tweet.tweet_id for tweet in tweets]))
    assert [(counts.followers, counts.following) for counts in await twit.user_counts([ada.user_id, *others])] == [(0, 0)] * 4
    counts = (await twit.tweet(0, theirs.tweet_id)).counts
    assert (counts.likes, counts.retweets) == (0, 0)
    with pytest.raises(Conflict):
        await twit.sign_up("ADA", "next@example.com", PASSWORD)
    assert await twit.sign_up("ada2", "ada@example.com", PASSWORD)


async def test_a_deletion_interrupted_is_finished_by_the_next(twit, clock):
    ada, _ = await join(twit)
    await twit.post(ada.user_id, "hello")
    await twit.deactivate(ada.user_id)
    clock.advance(31 * DAY_S)
    update, twit.stores.accounts.update = twit.stores.accounts.update, None
    with pytest.raises(TypeError):
        await twit.accounts.delete_expired()
    twit.stores.accounts.update = update
    assert await twit.accounts.delete_expired() == 1


async def test_turning_public_accepts_everybody_who_asked(open_twit):
    twit = await open_twit(event_batch=2)
    ada = await make_user(twit, "ada", private=True)
    fans = await make_users(twit, "bob cy dee eve fay")
    assert {await twit.follow(fan, ada) for fan in fans} == {Follow.REQUESTED}
    await twit.update_profile(ada, {"is_private": False})
    await settle(twit)
    assert (await twit.user_counts([ada]))[0].followers == 5
    assert await twit.follow_requests(ada, "", 10) == ([], "", False)


async def test_privacy_is_told_by_an_event_of_its_own(twit):
    ada = await make_user(twit, "ada")
    before = await twit.stores.log.tail()
    await twit.update_profile(ada, {"is_private": True, "bio": "shy"})
    events = [logged.event for logged in await twit.stores.log.read(before, 10)]
    assert [(event.kind, event.ref) for event in events] == [(EventKind.PRIVACY_CHANGED, 1), (EventKind.PROFILE_CHANGED, 0)]

"""Rate limits: which requests share a bucket, what is told of it, and that it refills."""

from __future__ import annotations

import pytest

from twit.core.gateway.ratelimits import network_of


def quota(answer):
    return tuple(int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset"))


def assert_refused(answer, retry_after_s):
    assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMITED")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) == retry_after_s
    assert quota(answer)[1] == 0


async def test_reads_of_a_user_are_counted_told_refused_and_come_back(open_api):
    api = await open_api(rate_limits=True, rate_reads_burst=3, rate_reads_per_min=60)
    ann, bob = await api.join_all("ann bob")
    assert [quota(await api.get("/timeline/home", ann)) for _ in range(2)] == [(3, 2, 1), (3, 1, 2)]
    assert quota(await api.get(f"/users/{bob.id}", ann)) == (3, 0, 3)  # one bucket for all reads
    assert_refused(await api.get("/timeline/home", ann), 1)
    assert (await api.get("/timeline/home", bob)).status_code == 200  # another user's bucket
    api.clock.advance(1)
    assert (await api.get("/timeline/home", ann)).status_code == 200
    assert_refused(await api.get("/timeline/home", ann), 1)


async def test_the_default_is_120_reads_at_once_and_then_one_a_second(open_api):
    api = await open_api(rate_limits=True)
    ann = await api.join("ann")
    assert {(await api.get("/users/me", ann)).status_code for _ in range(120)} == {200}
    assert_refused(await api.get("/users/me", ann), 1)
    api.clock.advance(60)
    assert [(await api.get("/users/me", ann)).status_code for _ in range(61)] == [200] * 60 + [429]


async def test_without_a_token_the_address_is_counted(open_api):
    api = await open_api(rate_limits=True, rate_anonymous_reads_per_min=2)
    ann = await api.join("ann")
    assert [(await api.get(f"/users/{ann.id}")).status_code for _ in range(3)] == [200, 200, 429]
    assert (await api.get(f"/users/{ann.id}", ann)).status_code == 200
    api.clock.advance(30)
    assert [(await api.get(f"/users/{ann.id}")).status_code for _ in range(2)] == [200, 429]


async def test_posts_retweets_and_quotes_share_a_bucket(open_api):
    api = await open_api(rate_limits=True, rate_posts_per_3h=3)
    ann, bob = await api.join_all("ann bob")
    tweet_id = await api.tweet(bob, "one")
    assert (await api.post("/tweets", ann, json={"text": "one"})).status_code == 201
    assert (await api.post(f"/tweets/{tweet_id}/retweet", ann)).status_code == 201
    answer = await api.post(f"/tweets/{tweet_id}/retweet", ann, json={"comment": "two"})
    assert (answer.status_code, quota(answer)) == (201, (3, 0, 10_800))
    assert_refused(await api.post("/tweets", ann, json={"text": "three"}), 3_600)
    assert (await api.delete(f"/tweets/{tweet_id}/retweet", ann)).status_code == 204  # taking back is free


async def test_follows_have_a_bucket_of_their_own(open_api):
    api = await open_api(rate_limits=True, rate_follows_per_day=2)
    ann, bob = await api.join_all("ann bob")
    assert [(await api.post(f"/users/{bob.id}/follow", ann)).status_code for _ in range(3)] == [200, 200, 429]
    assert (await api.delete(f"/users/{bob.id}/follow", ann)).status_code == 204


async def test_sign_ups_are_counted_by_address(open_api):
    api = await open_api(rate_limits=True, rate_signups_per_h=2)
    answers = [await api.post("/users", json={"username": f"u{n}", "email": "", "password": ""}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]  # bad ones count: they are tries too


async def test_log_ins_are_counted_by_address_and_by_account(open_api):
    api = await open_api(rate_limits=True, rate_logins_per_min_address=4, rate_logins_per_min_account=2)

    async def try_as(name):
        return (await api.post("/sessions", json={"username": name, "password": "wrong horse"})).status_code

    assert [await try_as(name) for name in ("ann", "ANN", "@ann", "bob", "cat")] == [401, 401, 429, 401, 429]


async def test_tries_at_the_old_password_are_counted_as_log_ins(open_api):
    api = await open_api(rate_limits=True, rate_logins_per_min_account=2)
    ann = await api.join("ann")
    body = {"old_password": "wrong horse", "new_password": "staple battery"}
    assert [(await api.put("/users/me/password", ann, json=body)).status_code for _ in range(3)] == [403, 403, 429]


async def test_operators_are_never_refused_and_nobody_is_where_limits_are_off(open_api):
    api = await open_api(rate_limits=True, rate_anonymous_reads_per_min=1)
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
        assert [(await api.get(path)).status_code for _ in range(3)] == [200, 200, 200]
    off = await open_api(rate_limits=False, rate_anonymous_reads_per_min=1)
    ann = await off.join("ann")
    answers = [await off.get(f"/users/{ann.id}") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert not [name for name in answers[0].headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(("address", "network"), [
    ("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3:4:5:6", "20010db800010002/64"), ("2001:db8:1:2::9", "20010db800010002/64"),
    ("fe80::1%eth0", "fe80000000000000/64"), ("", ""), ("unix:", "unix:"),
])  # fmt: skip
def test_an_ipv6_customer_is_one_address(address, network):
    assert network_of(address) == (network.lstrip("0") if "/64" in network else network)

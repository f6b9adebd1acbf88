"""The front and Litestar are two ways to one place: the same requests, in the same order, get the same bytes."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import builders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twit.core.clock import ManualClock
from twit.core.gateway.front import Front
from twit.core.gateway.routes import ROUTES

from .conftest import Api

IDS = ("1", "2", "3", "0", "abc", "99", "{tweet}", "{tweet}", "{tweet}", "%31", "1/", "", "９")
PATHS = (
    "/timeline/home", "/timeline/home/", "//timeline/home", "/tweets", "/tweets/", "/tweets/{id}", "/tweets/{id}/", "/tweets/{id}/like",
    "/tweets/{id}/likes", "/tweets//like", "/users/{id}/tweets", "/users/{id}/tweets/", "/users/me/tweets", "/users/{id}", "/tweets/{id}/like/x",
)  # fmt: skip
QUERIES = ("", "?limit=2", "?limit=0", "?limit=x", "?cursor=x", "?limit=1&limit=2", "?")
BODIES = (b'{"text":"hi @ann"}', b'{"text":""}', b"{", b"", b'{"text":"re","reply_to_tweet_id":"{tweet}"}', b'{"text":"x","media_ids":["1"]}')
requests = st.lists(
    st.tuples(
        st.sampled_from(("GET", "POST", "DELETE", "HEAD", "PUT", "OPTIONS")),
        st.sampled_from(PATHS),
        st.sampled_from(IDS),
        st.sampled_from(QUERIES),
        st.sampled_from(("token-of-ann", "token-of-bob", "wrong", "")),
        st.sampled_from(BODIES),
        st.sampled_from(("application/json", "text/plain")),
        st.sampled_from(({}, {"Idempotency-Key": "k"}, {"X-Request-Id": "mine"}, {"If-None-Match": "*"})),
    ),
    min_size=30,
    max_size=60,
)


async def replay(steps, *, front):
    """What a fresh site answers to these requests."""
    folder = Path(tempfile.mkdtemp())
    clock = ManualClock(builders.NOON_MS)
    twit = await builders.build_twit(folder / "data", clock, rate_reads_burst=9, rate_posts_per_3h=4)
    try:
        api = Api(twit, clock, front=front, rate_limits=True)
        ann, bob = await api.join_all("ann bob")
        await api.post(f"/users/{ann.id}/follow", bob)
        tweet = await api.tweet(ann, "first")
        answers = []
        for method, path, id_, query, token, body, content_type, more in steps:
            headers = {"Content-Type": content_type, **({"Authorization": f"Bearer {token}"} if token else {}), **more}
            url = "http://twit.test/api/v1" + path.replace("{id}", id_.replace("{tweet}", tweet)) + query
            content = body.replace(b"{tweet}", tweet.encode()) if method in ("POST", "PUT") else None
            answer = await api._client.request(method, url, headers=headers, content=content)
            answers.append((method, url, answer.status_code, sorted(answer.headers.multi_items()), answer.content))
        return answers
    finally:
        await twit.stores.health.close()
        shutil.rmtree(folder)


@settings(max_examples=6, deadline=None)
@given(steps=requests)
def test_front_and_litestar_answer_the_same_bytes(steps):
    with_front, without = (asyncio.run(replay(steps, front=front)) for front in (True, False))
    assert with_front == without


async def test_the_front_takes_the_hot_routes_and_nothing_else(twit, clock):
    api, taken = Api(twit, clock), []

    async def behind(scope, _receive, _send):
        taken.append((scope["method"], scope["path"]))

    async def passed(route, params, *_):
        taken.append((route.name, params))

    assert isinstance(api.app, Front)
    api.app._behind = behind
    api.app._gate.pass_through = passed

    async def ask(method, path, kind="http"):
        taken.clear()
        await api.app({"type": kind, "method": method, "path": "/api/v1" + path}, None, None)
        return taken[0]

    assert await ask("GET", "/timeline/home") == ("get_home", {})
    assert await ask("POST", "/tweets") == ("post_tweet", {})
    assert await ask("GET", "/tweets/5") == ("get_tweet", {"id": "5"})
    assert await ask("POST", "/tweets/5/like") == ("like", {"id": "5"})
    assert await ask("DELETE", "/tweets/5/like") == ("unlike", {"id": "5"})
    assert await ask("GET", "/users/5/tweets") == ("get_user_tweets", {"id": "5"})
    for method, path in (("DELETE", "/tweets/5"), ("GET", "/users/me/tweets"), ("GET", "/users/5"), ("HEAD", "/tweets/5"), ("GET", "/tweets/")):
        assert await ask(method, path) == (method, "/api/v1" + path)
    assert await ask("GET", "/timeline/home", kind="websocket") == ("GET", "/api/v1/timeline/home")


def test_a_route_that_the_front_cannot_find_is_refused_when_the_table_is_read():
    import msgspec

    odd = msgspec.structs.replace(ROUTES[0], path="/api/v1/{id}/home")
    with pytest.raises(ValueError, match="hot"):
        Front(None, (odd,), None)

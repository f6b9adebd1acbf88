"""What every route shares: problems, tokens, ids of requests, caching headers, methods, bodies."""

from __future__ import annotations

import logging

import pytest

from twit.core.gateway.route import Auth
from twit.core.gateway.routes import ROUTES

API_ROUTES = [route for route in ROUTES if not route.operators]
SERVED = {route.path for route in ROUTES}


def path_of(route, id_="1", name="ann"):
    return route.path.replace("{id}", id_).replace("{name}", name)


def assert_problem(answer, status, code):
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    problem = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(problem)
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert "Traceback" not in answer.text


async def test_what_is_ones_own_wants_a_token(api):
    for route in API_ROUTES:
        if route.auth is Auth.REQUIRED:
            answer = await api.ask(route.method, path_of(route))
            assert_problem(answer, 401, "UNAUTHORIZED")
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer never-given", "Bearer ", "Bearer", "Basic YTpi", "", "Bearer " + "x" * 5000])
async def test_a_token_that_does_not_hold_is_never_overlooked(api, header):
    for route in API_ROUTES:
        if route.auth is not Auth.NONE:
            answer = await api.ask(route.method, path_of(route), headers={"Authorization": header})
            assert_problem(answer, 401, "UNAUTHORIZED")


IDS_OF_NOTHING = ("abc", "0", "-1", "1.5", "9223372036854775808", "9" * 40, "١", "1e3", "%00", "424242424242")
LIFTING = ("unfollow", "unblock", "unmute", "unlike", "unretweet", "accept_request", "reject_request")  # 204: nothing stands


async def test_an_id_of_nothing_is_not_found(api):
    ann = await api.join("ann")
    for route in API_ROUTES:
        for id_ in IDS_OF_NOTHING if "{id}" in route.path else ():
            answer = await api.ask(route.method, path_of(route, id_), ann, json={} if route.body else None)
            if answer.status_code != 204 or route.name not in LIFTING:
                assert_problem(answer, 404, "NOT_FOUND")


GOOD_QUERIES = ("", "limit=1", "limit=200", "limit=50", "limit=", "cursor=", "other=1")
BAD_QUERIES = (
    "limit=0", "limit=201", "limit=-1", "limit=x", "limit=1.0", "limit=٣", "limit=" + "9" * 30, "cursor=x", "cursor=AAAA",
    "cursor=" + "A" * 129, "cursor=%00", "cursor=%ff", "&".join(f"a{n}=1" for n in range(20)), "a=" + "x" * 5000,
)  # fmt: skip


async def test_limits_and_cursors_of_every_list(api):
    ann = await api.join("ann")
    tweet_id = await api.tweet(ann, "something")
    for route in API_ROUTES:
        if route.pages:
            path = path_of(route, tweet_id if "/tweets/{id}" in route.path else str(ann.id))
            for query in GOOD_QUERIES:
                answer = await api.get(f"{path}?{query}", ann)
                assert answer.status_code == 200, (path, query, answer.text)
            for query in BAD_QUERIES:
                answer = await api.get(f"{path}?{query}", ann)
                assert answer.status_code == 422, (path, query, answer.text)
                assert answer.json()["field"] in ("limit", "cursor", "query")


async def test_a_cursor_of_another_list_is_refused(api):
    ann = await api.join("ann")
    for n in range(3):
        await api.tweet(ann, f"number {n}")
    cursor = (await api.home(ann, limit=1))["next_cursor"]
    assert_problem(await api.get(f"/users/{ann.id}/tweets", ann, params={"cursor": cursor}), 422, "BAD_CURSOR")


NOT_JSON = (b"{", b"{]", b"nul", b"\x00", b'{"a":', b"{}{}", b"\xef\xbb\xbf{}")
NOT_THIS_JSON = (b"[]", b"1", b"null", b'"text"', b'{"unknown_field":1}', b'"\xff"', b'{"text":"\\ud800"}', b"[" * 60_000, b'{"a":' * 9_000)
NOT_CALLED_JSON = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonx")


async def test_bodies_that_are_not_what_they_should_be(api):
    ann = await api.join("ann")
    tweet_id = await api.tweet(ann, "something")
    for route in API_ROUTES:
        if route.body is None:
            continue
        path = path_of(route, tweet_id if "/tweets/{id}" in route.path else "1")

        async def ask(body, content_type="application/json", route=route, path=path):
            return await api.ask(route.method, path, ann, content=body, headers={"Content-Type": content_type})

        for body in NOT_JSON:
            answer = await ask(body)
            assert answer.status_code in (400, 422), (path, body[:20], answer.text)
        assert_problem(await ask(b"{"), 400, "MALFORMED")
        for body in NOT_THIS_JSON:
            answer = await ask(body)
            assert answer.status_code in (400, 422), (path, body[:20], answer.text)
        for content_type in NOT_CALLED_JSON:
            assert_problem(await ask(b"{}", content_type), 415, "UNSUPPORTED_MEDIA_TYPE")
        assert (await ask(b'{"zzz":"' + b"x" * 65_526 + b'"}')).status_code == 422
        assert_problem(await ask(b'{"zzz":"' + b"x" * 65_527 + b'"}'), 413, "BODY_TOO_LARGE")
        if not route.body_optional:
            assert_problem(await ask(b""), 400, "MALFORMED")


async def test_a_body_that_lies_about_its_length_is_bounded_as_it_is_read(api):
    ann = await api.join("ann")

    async def endless():
        for _ in range(100):
            yield b"x" * 1_000

    answer = await api.ask("POST", "/tweets", ann, content=endless(), headers={"Content-Type": "application/json"})
    assert_problem(answer, 413, "BODY_TOO_LARGE")


async def test_json_by_another_spelling_of_its_type_is_taken(api):
    ann = await api.join("ann")
    answer = await api.ask("POST", "/tweets", ann, content=b'{"text":"hi"}', headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 201


@pytest.mark.parametrize("count", [0, 1, 280, 281])
async def test_a_tweet_at_below_and_above_its_length(api, count):
    ann = await api.join("ann")
    answer = await api.post("/tweets", ann, json={"text": "ä" * count})
    assert answer.status_code == (201 if 1 <= count <= 280 else 422)


@pytest.mark.parametrize("body", [{}, {"text": None}, {"text": 1}, {"text": "x", "reply_to_tweet_id": 5}, {"text": "x", "extra": 1},
                                  {"text": "x", "reply_to_tweet_id": "0"}, {"text": "x", "quote_tweet_id": "abc"},
                                  {"text": "x", "quote_tweet_id": "9999999999999999999"}, {"text": "x", "media_ids": "m"}])
async def test_a_tweet_that_does_not_fit_is_refused_and_names_the_field(api, body):
    ann = await api.join("ann")
    answer = await api.post("/tweets", ann, json=body)
    assert_problem(answer, 422, "INVALID")
    assert answer.json().get("field") in ({*body, "text"} if body else {"text"})


async def test_what_is_not_served_is_told_so(api):
    for path in ("/nothing", "/api/v1", "/api/v1/tweets/1/likes/2", "/api/v2/tweets", "/api/v1/search/tweets", "/api/v1/trends",
                 "/api/v1/notifications", "/api/v1/media/1", "/api/v1/stream", "/", "//", "/%ff"):
        assert_problem(await api._client.get(path), 404, "NO_ROUTE")


OTHER_METHODS = (
    ("DELETE", "/timeline/home", "GET, HEAD, OPTIONS"),
    ("PUT", "/tweets", "OPTIONS, POST"),
    ("GET", "/tweets", "OPTIONS, POST"),
    ("PATCH", "/tweets/1/like", "DELETE, OPTIONS, POST"),
    ("POST", "/tweets/1", "DELETE, GET, HEAD, OPTIONS"),
    ("TRACE", "/users/me", "GET, HEAD, OPTIONS, PATCH"),
    ("BREW", "/users/1", "GET, HEAD, OPTIONS"),
)  # fmt: skip


async def test_another_method_is_refused_with_those_that_are_served(api):
    for method, path, allow in OTHER_METHODS:
        answer = await api.ask(method, path)
        assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == allow


async def test_options_names_the_methods_and_opens_nothing_to_other_origins(api):
    answer = await api.ask("OPTIONS", "/tweets/1/like", headers={"Origin": "https://elsewhere.test", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 204
    assert set(answer.headers["allow"].split(", ")) == {"OPTIONS", "POST", "DELETE"}
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_head_is_get_without_the_body(api):
    ann = await api.join("ann")
    tweet_id = await api.tweet(ann, "hello")
    for path, who in ((f"/tweets/{tweet_id}", None), ("/timeline/home", ann), (f"/users/{ann.id}/tweets", None), ("/healthz", None)):
        get, head = await api.get(path, who), await api.ask("HEAD", path, who)
        assert (head.status_code, head.content) == (200, b"")
        assert {**head.headers, "x-request-id": ""} == {**get.headers, "x-request-id": ""}


@pytest.mark.parametrize(("given", "kept"), [("abc-DEF_1.2", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("", False), ("a\tb", False)])
async def test_a_request_id_comes_back_where_it_is_harmless(api, given, kept):
    answer = await api.get("/healthz", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) is kept
    assert answer.headers["x-request-id"]


async def test_request_ids_differ_and_reach_the_event(api):
    ann = await api.join("ann")
    ids = {(await api.get("/healthz")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    before = await api.twit.stores.log.tail()
    await api.post("/tweets", ann, json={"text": "traced"}, headers={"X-Request-Id": "trace-me"})
    assert [logged.event.request_id for logged in await api.twit.stores.log.read(before, 10)] == ["trace-me"]


async def test_answers_to_nobody_may_be_shared_and_all_others_not(api):
    ann = await api.join("ann")
    tweet_id = await api.tweet(ann, "hello")
    for path in (f"/tweets/{tweet_id}", f"/users/{ann.id}", f"/users/{ann.id}/tweets", f"/users/{ann.id}/followers",
                 f"/tweets/{tweet_id}/thread", "/users/by-username/ann"):  # fmt: skip
        anonymous, known = await api.get(path), await api.get(path, ann)
        assert (anonymous.headers["cache-control"], anonymous.headers["vary"]) == ("public, max-age=60", "Authorization")
        assert (known.headers["cache-control"], known.headers["vary"]) == ("no-store", "Authorization")
        assert "etag" in anonymous.headers and "etag" not in known.headers
    for answer in (await api.get("/users/99"), await api.get("/timeline/home", ann), await api.get("/healthz"), await api.get("/nothing")):
        assert answer.headers["cache-control"] == "no-store"


async def test_what_the_caller_holds_is_not_sent_again(api):
    ann = await api.join("ann")
    path = f"/users/{ann.id}/tweets"
    etag = (await api.get(path)).headers["etag"]
    for held in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = await api.get(path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        assert "content-length" not in answer.headers or answer.headers["content-length"] == "0"
    await api.tweet(ann, "news")
    answer = await api.get(path, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.headers["etag"] != etag) == (200, True)


async def test_a_bug_says_nothing_but_its_request_id(api, caplog, monkeypatch):
    ann = await api.join("ann")

    async def broken(*_args, **_more):
        msg = "secret of the house"
        raise ZeroDivisionError(msg)

    monkeypatch.setattr(type(api.twit), "home_timeline", broken)
    with caplog.at_level(logging.ERROR):
        answer = await api.get("/timeline/home", ann)
    assert_problem(answer, 500, "BUG")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in caplog.text and "ZeroDivisionError" in caplog.text


async def test_a_store_that_is_down_is_unavailable_and_keeps_its_details(api, monkeypatch):
    from twit.core.errors import StoreTimeout

    async def down(*_args, **_more):
        msg = "/data/twit.db is locked"
        raise StoreTimeout(msg)

    ann = await api.join("ann")
    monkeypatch.setattr(type(api.twit), "home_timeline", down)
    answer = await api.get("/timeline/home", ann)
    assert_problem(answer, 503, "STORE_TIMEOUT")
    assert "/data" not in answer.text
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_not_answered(api):
    ann = await api.join("ann")
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"authorization", f"Bearer {ann.token}".encode()), (b"content-length", b"10")]
    scope = {"type": "http", "method": "POST", "path": "/api/v1/tweets", "raw_path": b"/api/v1/tweets", "query_string": b"",
             "headers": headers, "client": ("127.0.0.1", 1), "server": ("x", 1), "scheme": "http", "http_version": "1.1",
             "root_path": "", "asgi": {"version": "3.0"}}  # fmt: skip
    await api.app(scope, receive, send)
    assert sent == []


def test_every_documented_route_of_this_core_is_served():
    wanted = """
        POST /users|POST /sessions|DELETE /sessions/current|GET /users/me|PATCH /users/me|PUT /users/me/password
        POST /users/me/deactivate|POST /tweets|GET /tweets/{id}|DELETE /tweets/{id}|POST /tweets/{id}/like
        DELETE /tweets/{id}/like|POST /tweets/{id}/retweet|DELETE /tweets/{id}/retweet|GET /tweets/{id}/thread
        GET /tweets/{id}/replies|GET /tweets/{id}/likes|GET /tweets/{id}/retweets|GET /timeline/home|GET /users/{id}/tweets
        GET /users/{id}/followers|GET /users/{id}/following|GET /users/{id}|GET /users/by-username/{name}
        POST /users/{id}/follow|DELETE /users/{id}/follow|POST /users/{id}/block|DELETE /users/{id}/block
        POST /users/{id}/mute|DELETE /users/{id}/mute|GET /blocks|GET /mutes|GET /follow-requests
        POST /follow-requests/{id}/accept|POST /follow-requests/{id}/reject
    """
    routes = {route.strip().replace(" ", " /api/v1") for line in wanted.strip().splitlines() for route in line.split("|")}
    operators = {f"GET {path}" for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs")}
    assert {f"{route.method} {route.path}" for route in ROUTES} == routes | operators


async def test_headers_cannot_be_smuggled_in_by_a_request_id(api):
    answer = await api.get("/healthz", headers={"X-Request-Id": "a\r\nSet-Cookie: b"})
    assert "set-cookie" not in answer.headers

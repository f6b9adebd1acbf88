"""What operators see: alive, ready, metrics, the API's description."""

from __future__ import annotations

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from twit.core.gateway.routes import ROUTES


async def metrics(api):
    text = (await api.get("/metrics")).text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_the_process_is_alive(api):
    answer = await api.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_ready_while_stores_and_consumers_are_well(api, monkeypatch):
    answer = await api.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert set(answer.json()["parts"].values()) == {"ok"}
    api.site.consumers = lambda: {"fanout": "elsewhere", "social": "ok"}
    assert (await api.get("/readyz")).status_code == 200
    api.site.consumers = lambda: {"fanout": "StoreDown: gone"}
    answer = await api.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]["consumer fanout"]) == (503, "StoreDown: gone")
    assert answer.headers["retry-after"]


async def test_not_ready_where_a_store_is_not_well(api, monkeypatch):
    async def check():
        return {"twit.db": "read-only"}

    monkeypatch.setattr(api.twit.stores.health, "check", check)
    answer = await api.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]["twit.db"]) == (503, "read-only")


async def test_draining_is_alive_and_not_ready_and_closes_connections(api):
    api.site.draining = True
    assert (await api.get("/healthz")).status_code == 200
    answer = await api.get("/readyz")
    assert (answer.status_code, answer.headers["connection"]) == (503, "close")


async def test_metrics_tell_of_requests_deliveries_lag_and_caches(api):
    ann, bob = await api.join_all("ann bob")
    await api.post(f"/users/{ann.id}/follow", bob)
    await api.settle()
    await api.tweet(ann, "hello")
    assert (await metrics(api))["twit_consumer_behind_events", "fanout"] > 0
    await api.settle()
    await api.home(bob)
    await api.get("/timeline/home")
    now = await metrics(api)
    assert now["twit_http_requests_total", "200", "get_home"] == 1
    assert now["twit_http_requests_total", "401", "get_home"] == 1
    assert now["twit_http_request_seconds_count", "get_home"] == 2
    assert now["twit_http_request_seconds_bucket", "+Inf", "get_home"] == 2
    assert now["twit_consumer_behind_events", "fanout"] == 0
    assert now["twit_deliveries_total", "stored"] >= 1
    assert now["twit_cache_entries", "fragments"] == 1
    assert now["twit_fragments_encoded_total",] == 1
    assert now["twit_http_shed_total",] == 0


async def test_metrics_count_by_route_and_never_by_path_or_person(api):
    ann = await api.join("ann")
    await api.get(f"/users/{ann.id}", ann)
    await api.get("/users/by-username/ann")
    text = (await api.get("/metrics")).text
    assert "ann" not in re.findall(r'"([^"]*)"', text)
    assert f'"/users/{ann.id}"' not in text


async def test_the_description_names_every_route_and_resolves_every_reference(api):
    document = (await api.get("/openapi.json")).json()
    assert {(method.upper(), path) for path, methods in document["paths"].items() for method in methods} == {
        (route.method, route.path) for route in ROUTES
    }
    for ref in set(re.findall(r'"\$ref": ?"([^"]*)"', json.dumps(document))):
        at = document
        for step in ref.removeprefix("#/").split("/"):
            at = at[step]


async def test_what_is_answered_fits_its_description(api):
    import jsonschema_rs

    document = (await api.get("/openapi.json")).json()
    ann, bob = await api.join_all("ann bob")
    tweet_id = await api.tweet(ann, "hello #x @bob https://example.com")
    quote = await api.tweet(bob, "look", quote_tweet_id=tweet_id, reply_to_tweet_id=tweet_id)
    await api.post(f"/tweets/{quote}/retweet", ann)
    for path, name in (
        (f"/tweets/{quote}", "TweetOut"), ("/timeline/home", "TimelineOut"), (f"/users/{ann.id}/tweets", "TimelineOut"),
        (f"/tweets/{tweet_id}/thread", "ThreadOut"), (f"/tweets/{tweet_id}/replies", "TweetsOut"), ("/users/me", "UserOut"),
        (f"/users/{bob.id}", "UserOut"), (f"/tweets/{quote}/retweets", "UsersOut"), ("/follow-requests", "RequestsOut"),
        ("/nothing", "Problem"), ("/readyz", "Readiness"),
    ):  # fmt: skip
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema_rs.validate(schema, (await api.get(path, ann)).json())


async def test_the_page_of_the_description_needs_nothing_from_elsewhere(api):
    answer = await api.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"(src|href)=['\"]?(https?:)?//", answer.text)
    assert "<script" not in answer.text
    for route in ROUTES:
        assert route.path in answer.text


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_descriptions_may_be_kept(api, path):
    answer = await api.get(path)
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert (await api.get(path, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304

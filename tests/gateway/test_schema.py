"""Requests made from the OpenAPI document, right ones and wrong ones: no server error, and answers as described."""

from __future__ import annotations

import asyncio
import itertools
import threading

import builders
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from twit.core.clock import SystemClock
from twit.core.gateway.openapi import document
from twit.core.gateway.routes import ROUTES
from twit.core.gateway.server import Serving, serve
from twit.core.limits import Limits

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDING = ("log_out", "change_password", "deactivate")  # the token is gone after these
PASSWORD = "correct horse"
names = (f"person{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A server in a thread of its own, consumers and all, with rate limits off."""
    started, ended = threading.Event(), []
    running = {}

    async def run():
        clock, running["stop"], running["loop"] = SystemClock(), asyncio.Event(), asyncio.get_running_loop()
        twit = await builders.build_twit(tmp_path_factory.mktemp("schema") / "data", clock)

        def listening(host, port):
            running["url"] = f"http://{host}:{port}"
            started.set()

        try:
            await serve(twit, Serving(port=0, rate_limits=False), clock=clock, entropy=builders.CountedEntropy(),
                        listening=listening, stop=running["stop"])  # fmt: skip
        finally:
            await twit.stores.health.close()

    def thread():
        try:
            asyncio.run(run())
        except BaseException as error:
            ended.append(error)
            started.set()

    server = threading.Thread(target=thread)
    server.start()
    started.wait(30)
    assert not ended, ended
    yield running["url"]
    running["loop"].call_soon_threadsafe(running["stop"].set)
    server.join(30)
    assert not ended, ended


@pytest.fixture(scope="module")
def join(url):
    def joining():
        name = next(names)
        body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
        answer = httpx.post(f"{url}/api/v1/users", json=body, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]

    return joining


@pytest.fixture(scope="module")
def token(url, join):
    """Somebody in a small world in which low ids mean something."""
    token = join()
    auth = {"Authorization": f"Bearer {token}"}
    join()
    for n in range(3):
        made = httpx.post(f"{url}/api/v1/tweets", json={"text": f"number {n}"}, headers=auth, timeout=30)
        assert made.status_code == 201
    return token


schema = schemathesis.openapi.from_dict(document(ROUTES, Limits()))


def test_the_served_document_is_the_tested_one(url):
    assert httpx.get(f"{url}/openapi.json", timeout=30).json() == schema.raw_schema


@schema.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_nothing_that_the_document_allows_or_forbids_breaks_the_server(case, url, token, join):
    bearer = join() if case.operation.definition.raw["operationId"] in ENDING else token
    answer = case.call(base_url=url, headers={"Authorization": f"Bearer {bearer}"}, timeout=30)
    case.validate_response(answer, checks=CHECKS)
    assert "Traceback" not in answer.text

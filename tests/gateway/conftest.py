"""The real service behind the real app, in one process and one task: with the front, and with Litestar alone."""

from __future__ import annotations

import hashlib

import builders
import httpx
import msgspec
import pytest

from twit.core.gateway.app import app_of, site_of
from twit.core.model import Session


class Person(msgspec.Struct, frozen=True):
    """Somebody logged in."""

    id: int
    name: str
    token: str

    @property
    def auth(self):
        return {"Authorization": f"Bearer {self.token}"}


class Api:
    """A client of one gateway. `who` is a `Person`, or nobody."""

    def __init__(self, twit, clock, *, front=True, rate_limits=False, among=None):
        self.twit, self.clock = twit, clock
        self._among = [] if among is None else among  # gateways of one world
        self._among.append(self)
        self.site = site_of(twit, clock=clock, rate_limits=rate_limits)
        self.app = app_of(self.site, builders.CountedEntropy(), front=front)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://twit.test")

    async def join(self, name, *, private=False):
        """An account with a log-in that cost no password hashing."""
        user_id = await builders.make_user(self.twit, name, private=private)
        token = f"token-of-{name}"
        await self.twit.stores.tokens.put(Session(hashlib.sha256(token.encode()).digest(), user_id, builders.NOON_MS))
        return Person(user_id, name, token)

    async def join_all(self, names):
        return [await self.join(name) for name in names.split()]

    async def ask(self, method, path, who=None, *, headers=None, **rest):
        if not path.startswith(("/api", "/healthz", "/readyz", "/metrics", "/openapi", "/docs")):
            path = "/api/v1" + path
        answer = await self._client.request(method, path, headers={**(who.auth if who else {}), **(headers or {})}, **rest)
        for api in (self, *self._among) if method != "GET" and len(self._among) > 1 else ():
            await api.twit.stores.log.caught_up()  # where it takes its time until one hears of what another did
        return answer

    async def get(self, path, who=None, **rest):
        return await self.ask("GET", path, who, **rest)

    async def post(self, path, who=None, json=None, **rest):
        return await self.ask("POST", path, who, json=json, **rest)

    async def put(self, path, who=None, json=None, **rest):
        return await self.ask("PUT", path, who, json=json, **rest)

    async def patch(self, path, who=None, json=None, **rest):
        return await self.ask("PATCH", path, who, json=json, **rest)

    async def delete(self, path, who=None, **rest):
        return await self.ask("DELETE", path, who, **rest)

    async def tweet(self, who, text, **more):
        """Post; returns the tweet's id as text."""
        answer = await self.post("/tweets", who, json={"text": text, **more})
        assert answer.status_code == 201, answer.text
        return answer.json()["tweet_id"]

    async def home(self, who, **params):
        answer = await self.get("/timeline/home", who, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def settle(self):
        await builders.settle(self.twit)


@pytest.fixture(params=[True, False], ids=["front", "litestar"])
def front(request):
    return request.param


@pytest.fixture
def open_api(open_twit, clock, front):
    """`await open_api(rate_limits=True, rate_reads_burst=3)`: an API with these limits."""

    opened = []

    async def opening(*, rate_limits=False, **limits):
        return Api(await open_twit(**limits), clock, front=front, rate_limits=rate_limits, among=opened)

    return opening


@pytest.fixture
async def api(open_api):
    return await open_api()

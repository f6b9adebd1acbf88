"""Past the knee requests are shed at once, and none is waited for longer than its deadline."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture
def slow_home(monkeypatch):
    """Home timelines that wait for an event; returns it and a list of those that came so far."""
    from twit.core.service import Twit

    gate, arrived, home = asyncio.Event(), [], Twit.home_timeline

    async def slowly(twit, reader, *args, **more):
        arrived.append(reader)
        await gate.wait()
        return await home(twit, reader, *args, **more)

    monkeypatch.setattr(Twit, "home_timeline", slowly)
    return gate, arrived


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


async def test_what_does_not_fit_is_refused_at_once_and_the_rest_is_answered(open_api, slow_home):
    gate, arrived = slow_home
    api = await open_api(requests_in_flight_max=3)
    ann = await api.join("ann")
    waiting = [asyncio.create_task(api.get("/timeline/home", ann)) for _ in range(3)]
    await until(lambda: len(arrived) == 3)
    answer = await api.get("/timeline/home", ann)
    assert (answer.status_code, answer.json()["code"]) == (503, "OVERLOADED")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await api.get("/healthz")).status_code == 200
    assert "twit_http_in_flight 3.0" in (await api.get("/metrics")).text
    gate.set()
    assert [(await task).status_code for task in waiting] == [200, 200, 200]
    assert (await api.get("/timeline/home", ann)).status_code == 200
    assert "twit_http_shed_total 1.0" in (await api.get("/metrics")).text


async def test_a_request_past_its_deadline_is_given_up(open_api, slow_home):
    gate, _ = slow_home
    api = await open_api(request_deadline_ms=50)
    ann = await api.join("ann")
    answer = await api.get("/timeline/home", ann)
    assert (answer.status_code, answer.json()["code"]) == (503, "DEADLINE")
    assert int(answer.headers["retry-after"]) >= 1
    assert asyncio.current_task().cancelling() == 0  # the app ran in this task: nothing of the cancellation is left on it
    gate.set()
    assert (await api.get("/timeline/home", ann)).status_code == 200
    assert len(api.site.in_flight) == 0
    assert "twit_http_late_total 1.0" in (await api.get("/metrics")).text


async def test_a_late_write_says_that_it_may_stand(open_api, monkeypatch):
    api = await open_api(request_deadline_ms=50)
    ann = await api.join("ann")
    post = type(api.twit).post

    async def slowly(twit, *args, **more):
        await post(twit, *args, **more)
        await asyncio.Event().wait()

    monkeypatch.setattr(type(api.twit), "post", slowly)
    answer = await asyncio.wait_for(api.post("/tweets", ann, json={"text": "late"}), 10)
    assert (answer.status_code, answer.json()["code"]) == (503, "DEADLINE")
    assert "may or may not" in answer.json()["detail"]


async def test_a_request_cancelled_from_outside_is_not_called_late(open_api, slow_home):
    _, arrived = slow_home
    api = await open_api()
    ann = await api.join("ann")
    task = asyncio.create_task(api.get("/timeline/home", ann))
    await until(lambda: arrived)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (len(api.site.in_flight), api.site.in_flight.late) == (0, 0)

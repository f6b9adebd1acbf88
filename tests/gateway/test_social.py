"""Follows, blocks, mutes, requests and lists over HTTP: repeating a request answers the same."""

from __future__ import annotations

import pytest


async def names(api, path, who=None, **params):
    answer = await api.get(path, who, params=params)
    assert answer.status_code == 200, answer.text
    return [user["username"] for user in answer.json()["users"]]


@pytest.mark.parametrize(("verb", "standing"), [("follow", "following"), ("block", "blocking"), ("mute", "muting")])
async def test_setting_and_lifting_can_be_repeated(api, verb, standing):
    ann, bob = await api.join_all("ann bob")
    for _ in range(2):
        answer = await api.post(f"/users/{bob.id}/{verb}", ann)
        assert (answer.status_code, answer.json()) == (200, {"status": standing})
    for _ in range(2):
        answer = await api.delete(f"/users/{bob.id}/{verb}", ann)
        assert (answer.status_code, answer.content) == (204, b"")


async def test_lists_of_people_are_pages_newest_first_with_counts(api):
    ann, bob, cat, dan = await api.join_all("ann bob cat dan")
    for who in (bob, cat, dan):
        await api.post(f"/users/{ann.id}/follow", who)
        await api.settle()  # a list is in the order in which follows were carried to it
    assert await names(api, f"/users/{ann.id}/followers") == ["dan", "cat", "bob"]
    assert await names(api, f"/users/{bob.id}/following") == ["ann"]
    first = (await api.get(f"/users/{ann.id}/followers", params={"limit": 2})).json()
    assert first["has_more"] is True
    assert first["users"][0]["metrics"] == {"followers": 0, "following": 1, "tweets": 0}
    rest = (await api.get(f"/users/{ann.id}/followers", params={"cursor": first["next_cursor"]})).json()
    assert ([user["username"] for user in rest["users"]], rest["has_more"], rest["next_cursor"]) == (["bob"], False, None)


async def test_blocks_and_mutes_are_ones_own_business(api):
    ann, bob, cat = await api.join_all("ann bob cat")
    await api.post(f"/users/{bob.id}/block", ann)
    await api.post(f"/users/{cat.id}/mute", ann)
    assert await names(api, "/blocks", ann) == ["bob"]
    assert await names(api, "/mutes", ann) == ["cat"]
    assert await names(api, "/blocks", bob) == []
    assert (await api.get(f"/users/{ann.id}", bob)).status_code == 404
    assert (await api.post(f"/users/{ann.id}/follow", bob)).status_code in (403, 404)


async def test_a_private_account_is_asked_and_answers(api):
    ann = await api.join("ann", private=True)
    bob, cat = await api.join_all("bob cat")
    for who in (bob, cat):
        answer = await api.post(f"/users/{ann.id}/follow", who)
        assert (answer.status_code, answer.json()) == (200, {"status": "requested"})
    asked = (await api.get("/follow-requests", ann)).json()
    assert set(asked) == {"requests", "next_cursor", "has_more"}
    ids = {request["user"]["username"]: request["id"] for request in asked["requests"]}
    for _ in range(2):
        assert (await api.post(f"/follow-requests/{ids['bob']}/accept", ann)).status_code == 204
        assert (await api.post(f"/follow-requests/{ids['cat']}/reject", ann)).status_code == 204
    await api.settle()
    assert await names(api, f"/users/{ann.id}/followers", ann) == ["bob"]
    tweet_id = await api.tweet(ann, "for friends")
    assert [(await api.get(f"/tweets/{tweet_id}", who)).status_code for who in (ann, bob, cat, None)] == [200, 200, 404, 404]
    assert (await api.post(f"/users/{ann.id}/follow", bob)).json() == {"status": "following"}


async def test_retweets_of_a_followee_can_be_switched_off(api):
    ann, bob, cat = await api.join_all("ann bob cat")
    await api.post(f"/users/{bob.id}/follow", ann)
    await api.post(f"/tweets/{await api.tweet(cat, 'by cat')}/retweet", bob)
    await api.settle()
    assert len((await api.home(ann))["tweets"]) == 1
    await api.post(f"/users/{bob.id}/follow", ann, json={"retweets": False})
    assert len((await api.home(ann))["tweets"]) == 0
    await api.post(f"/users/{bob.id}/follow", ann)
    assert len((await api.home(ann))["tweets"]) == 1


@pytest.mark.parametrize("verb", ["follow", "block", "mute"])
async def test_nobody_does_it_to_himself_or_to_nobody(api, verb):
    ann = await api.join("ann")
    assert (await api.post(f"/users/{ann.id}/{verb}", ann)).status_code == 422
    assert (await api.post(f"/users/99/{verb}", ann)).status_code == 404

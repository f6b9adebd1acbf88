"""Accounts and log-ins over HTTP."""

from __future__ import annotations

import pytest

ANN = {"username": "ann", "email": "ann@example.com", "password": "correct horse"}


async def test_sign_up_log_out_log_in(api):
    answer = await api.post("/users", json={**ANN, "display_name": "Ann"})
    assert answer.status_code == 201
    assert set(answer.json()) == {"user", "token"}
    assert answer.json()["user"] == {
        "id": "1", "username": "ann", "display_name": "Ann", "bio": "", "profile_image": "", "banner_image": "",
        "location": "", "website": "", "is_verified": False, "is_private": False, "created_at": "2027-01-15T08:00:00Z",
        "metrics": {"followers": 0, "following": 0, "tweets": 0}, "email": "ann@example.com",
    }  # fmt: skip
    auth = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert (await api.get("/users/me", headers=auth)).status_code == 200
    assert (await api.delete("/sessions/current", headers=auth)).status_code == 204
    assert (await api.get("/users/me", headers=auth)).status_code == 401
    answer = await api.post("/sessions", json={"username": "ANN", "password": "correct horse"})
    assert (answer.status_code, answer.json()["user"]["id"]) == (201, "1")


async def test_a_wrong_password_and_a_wrong_name_read_the_same(api):
    await api.post("/users", json=ANN)
    wrong = [await api.post("/sessions", json={"username": name, "password": "wrong horse"}) for name in ("ann", "nobody")]
    assert [answer.status_code for answer in wrong] == [401, 401]
    assert len({answer.json()["detail"] for answer in wrong}) == 1


@pytest.mark.parametrize(("change", "code"), [({"email": "b@example.com"}, "USERNAME_TAKEN"), ({"username": "ben"}, "EMAIL_TAKEN")])
async def test_a_taken_name_or_address_is_a_conflict(api, change, code):
    await api.post("/users", json=ANN)
    answer = await api.post("/users", json={**ANN, **change})
    assert (answer.status_code, answer.json()["code"]) == (409, code)


async def test_only_oneself_sees_the_address(api):
    ann, bob = await api.join_all("ann bob")
    assert (await api.get("/users/me", ann)).json()["email"] == "ann@example.com"
    for path in (f"/users/{ann.id}", "/users/by-username/ANN"):
        for who in (ann, bob, None):
            user = (await api.get(path, who)).json()
            assert user["username"] == "ann"
            assert "email" not in user


async def test_a_profile_changes_where_asked_and_nowhere_else(api):
    ann = await api.join("ann")
    before = (await api.get("/users/me", ann)).json()
    answer = await api.patch("/users/me", ann, json={"bio": "I am\nAnn", "website": "https://example.com"})
    assert answer.json() == {**before, "bio": "I am\nAnn", "website": "https://example.com"}
    assert (await api.patch("/users/me", ann, json={})).json() == answer.json()


@pytest.mark.parametrize("change", [{"username": "new"}, {"is_verified": True}, {"bio": None}, {"bio": 1}, {"is_private": "yes"},
                                    {"bio": "x" * 501}, {"website": "javascript:alert(1)"}, {"email": "no address"}, [], "text"])
async def test_what_cannot_be_changed_is_refused(api, change):
    ann = await api.join("ann")
    answer = await api.patch("/users/me", ann, json=change)
    assert (answer.status_code, answer.json()["status"]) == (422, 422)


async def test_a_new_password_ends_all_log_ins(api):
    tokens = [(await api.post("/users", json=ANN)).json()["token"]]
    tokens.append((await api.post("/sessions", json={"username": "ann", "password": "correct horse"})).json()["token"])
    auth = {"Authorization": f"Bearer {tokens[0]}"}
    wrong = await api.put("/users/me/password", json={"old_password": "guess guess", "new_password": "staple battery"}, headers=auth)
    assert wrong.status_code == 403
    done = await api.put("/users/me/password", json={"old_password": "correct horse", "new_password": "staple battery"}, headers=auth)
    assert done.status_code == 204
    for token in tokens:
        assert (await api.get("/users/me", headers={"Authorization": f"Bearer {token}"})).status_code == 401
    assert (await api.post("/sessions", json={"username": "ann", "password": "staple battery"})).status_code == 201


async def test_logging_in_within_the_grace_brings_the_account_back(api):
    token = (await api.post("/users", json=ANN)).json()["token"]
    assert (await api.post("/users/me/deactivate", headers={"Authorization": f"Bearer {token}"})).status_code == 204
    assert (await api.get("/users/by-username/ann")).status_code == 404
    assert (await api.post("/sessions", json={"username": "ann", "password": "correct horse"})).status_code == 201
    assert (await api.get("/users/by-username/ann")).status_code == 200


@pytest.mark.parametrize("length", [9, 10, 256, 257])
async def test_passwords_at_below_and_above_their_bounds(api, length):
    answer = await api.post("/users", json={**ANN, "password": "p" * length})
    assert answer.status_code == (201 if 10 <= length <= 256 else 422)


@pytest.mark.parametrize("name", ["", "a b", "å", "a" * 51, "a-b", "a\u0000b"])
async def test_a_name_that_is_none_is_refused(api, name):
    answer = await api.post("/users", json={**ANN, "username": name})
    assert (answer.status_code, answer.json()["field"]) == (422, "username")

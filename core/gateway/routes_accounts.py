"""Sign up, log in and out, one's own profile, other people's profiles."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..model import User
from .bodies import parse
from .encode import UserOut, user_out
from .exchange import Answer, Call
from .ratelimits import Rate
from .route import API, Auth, Route
from .site import Site


class SignUp(msgspec.Struct, forbid_unknown_fields=True):
    """A new account. Names are 1 to 50 of A-Z a-z 0-9 _; passwords 10 to 256 characters."""

    username: str
    email: str
    password: str
    display_name: str = ""


class LogIn(msgspec.Struct, forbid_unknown_fields=True):
    """Name and password; within 30 days of deactivation this brings the account back."""

    username: str
    password: str


class ProfileChange(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What to change; fields left out stay."""

    display_name: str | UnsetType = UNSET
    bio: str | UnsetType = UNSET
    profile_image: str | UnsetType = UNSET
    banner_image: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    website: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    is_private: bool | UnsetType = UNSET


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """The old password proves who asks; all log-ins end."""

    old_password: str
    new_password: Annotated[str, Meta(description="10 to 256 characters")]


class LoggedIn(msgspec.Struct):
    """One's account, and the bearer token of this log-in: it is shown once."""

    user: UserOut
    token: str


_encode = msgspec.json.Encoder().encode
_sign_up = msgspec.json.Decoder(SignUp)
_log_in = msgspec.json.Decoder(LogIn)
_profile = msgspec.json.Decoder(ProfileChange)
_password = msgspec.json.Decoder(PasswordChange)


async def post_users(site: Site, call: Call) -> Answer:
    """Make an account and log it in."""
    asked = parse(_sign_up, call.body)
    user, token = await site.twit.sign_up(asked.username, asked.email, asked.password, asked.display_name)
    return await _logged_in(site, user, token)


async def post_sessions(site: Site, call: Call) -> Answer:
    """Log in."""
    asked = parse(_log_in, call.body)
    site.limiter.take_password(asked.username.removeprefix("@"))
    user, token = await site.twit.log_in(asked.username, asked.password)
    return await _logged_in(site, user, token)


async def delete_session(site: Site, call: Call) -> Answer:
    """Revoke the token that this request came with."""
    await site.twit.log_out(call.token)
    return Answer(204)


async def get_me(site: Site, call: Call) -> Answer:
    """One's own account, with its e-mail."""
    return await _profile_answer(site, await site.twit.user(call.viewer, call.viewer), own=True)


async def patch_me(site: Site, call: Call) -> Answer:
    """Change one's profile."""
    asked = parse(_profile, call.body)
    changes = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not UNSET}
    return await _profile_answer(site, await site.twit.update_profile(call.viewer, changes), own=True)


async def put_password(site: Site, call: Call) -> Answer:
    """Change one's password; every log-in ends, this one too."""
    asked = parse(_password, call.body)
    me = await site.twit.user(call.viewer, call.viewer)
    site.limiter.take_password(me.username)
    await site.twit.set_password(call.viewer, asked.old_password, asked.new_password)
    return Answer(204)


async def deactivate(site: Site, call: Call) -> Answer:
    """Hide one's account at once; logging in within 30 days brings it back whole."""
    await site.twit.deactivate(call.viewer)
    return Answer(204)


async def get_user(site: Site, call: Call) -> Answer:
    """One account."""
    return await _profile_answer(site, await site.twit.user(call.viewer, call.path_id()))


async def get_user_by_name(site: Site, call: Call) -> Answer:
    """The same by name, without case."""
    return await _profile_answer(site, await site.twit.user_by_name(call.viewer, call.params["name"]))


async def _logged_in(site: Site, user: User, token: str) -> Answer:
    (counts,) = await site.twit.user_counts((user.user_id,))
    return Answer(201, _encode(LoggedIn(user_out(user, counts, own=True), token)))


async def _profile_answer(site: Site, user: User, *, own: bool = False) -> Answer:
    (counts,) = await site.twit.user_counts((user.user_id,))
    return Answer(200, _encode(user_out(user, counts, own=own)))


ROUTES = (
    Route(method="POST", path=f"{API}/users", name="sign_up", tag="accounts", summary="Make an account and log it in",
          handler=post_users, status=201, auth=Auth.NONE, rate=Rate.SIGN_UPS, body=SignUp, answer=LoggedIn),
    Route(method="POST", path=f"{API}/sessions", name="log_in", tag="accounts", summary="Log in",
          handler=post_sessions, status=201, auth=Auth.NONE, rate=Rate.LOG_INS, body=LogIn, answer=LoggedIn),
    Route(method="DELETE", path=f"{API}/sessions/current", name="log_out", tag="accounts", summary="Log out",
          handler=delete_session, status=204),
    Route(method="GET", path=f"{API}/users/me", name="get_me", tag="accounts", summary="One's own account",
          handler=get_me, rate=Rate.READS, answer=UserOut),
    Route(method="PATCH", path=f"{API}/users/me", name="change_profile", tag="accounts", summary="Change one's profile",
          handler=patch_me, body=ProfileChange, answer=UserOut),
    Route(method="PUT", path=f"{API}/users/me/password", name="change_password", tag="accounts",
          summary="Change one's password and end all log-ins", handler=put_password, status=204, body=PasswordChange),
    Route(method="POST", path=f"{API}/users/me/deactivate", name="deactivate", tag="accounts",
          summary="Hide one's account", handler=deactivate, status=204),
    Route(method="GET", path=f"{API}/users/by-username/{{name}}", name="get_user_by_name", tag="accounts",
          summary="An account by name", handler=get_user_by_name, auth=Auth.OPTIONAL, rate=Rate.READS, answer=UserOut,
          shared=True),
    Route(method="GET", path=f"{API}/users/{{id}}", name="get_user", tag="accounts", summary="An account",
          handler=get_user, auth=Auth.OPTIONAL, rate=Rate.READS, answer=UserOut, shared=True),
)  # fmt: skip

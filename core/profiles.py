"""What an account may be called and say about itself: checked and brought into one form. Looks nothing up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from email_validator import EmailNotValidError, validate_email

from .errors import Invalid
from .limits import Limits
from .model import User
from .text import NAME, blank, written

LINK_STARTS = ("https://", "http://")
IMAGE_STARTS = (*LINK_STARTS, "/")  # our own media by path


def checked_username(name: str, limits: Limits) -> str:
    """Return the name, without a leading @; letters, digits and underscores of ASCII."""
    name = name.removeprefix("@")
    if len(name) > limits.username_chars_max or not NAME.fullmatch(name):
        what = f"{name[: limits.username_chars_max]!r} cannot be a name"
        meaning = f"names are 1 to {limits.username_chars_max} letters, digits or underscores (A-Z a-z 0-9 _)"
        raise Invalid(what, field="username", meaning=meaning)
    return name


def checked_email(email: str, limits: Limits) -> str:
    """Return the address in its normal form; its domain is not asked."""
    if len(email) > limits.email_chars_max:
        what = f"email has {len(email)} characters, {limits.email_chars_max} are allowed"
        raise Invalid(what, field="email")
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        what = f"email: {error}"
        raise Invalid(what, field="email") from None


def checked_password(password: str, limits: Limits) -> str:
    """Return it as it is: any characters, within its length."""
    low, high = limits.password_chars_min, limits.password_chars_max
    if not low <= len(password) <= high:
        what = f"the password has {len(password)} characters"
        raise Invalid(what, field="password", meaning=f"passwords have {low} to {high}")
    return password


def checked_display_name(name: str, username: str, limits: Limits) -> str:
    """Return the name to show, which is the username where nothing else is given."""
    name = written(name, "display_name", limits.display_name_chars_max).strip()
    return username if blank(name) else name


def changed(user: User, changes: Mapping[str, object], limits: Limits) -> User:
    """Return `user` with the changes made. Raises `Invalid` for a field that cannot be changed or does not fit."""
    fields: dict[str, Any] = {name: _checked(user, name, value, limits) for name, value in changes.items()}
    return msgspec.structs.replace(user, **fields)


def _checked(user: User, name: str, value: object, limits: Limits) -> object:
    if name == "is_private":
        if not isinstance(value, bool):
            raise _wrong_kind(name, "true or false")
        return value
    if name not in ("display_name", "bio", "location", "website", "profile_image", "banner_image", "email"):
        what = f"{name[:50]!r} cannot be changed"
        raise Invalid(what, field=name[:50])
    if not isinstance(value, str):
        raise _wrong_kind(name, "a text")
    match name:
        case "display_name":
            return checked_display_name(value, user.username, limits)
        case "email":
            return checked_email(value, limits)
        case "bio":
            return written(value, name, limits.bio_chars_max, lines=True)
        case "location":
            return written(value, name, limits.location_chars_max)
        case "website":
            return _link(value, name, limits.website_chars_max, LINK_STARTS)
        case _:
            return _link(value, name, limits.url_chars_max, IMAGE_STARTS)


def _link(value: str, field: str, chars_max: int, starts: tuple[str, ...]) -> str:
    value = written(value, field, chars_max).strip()
    if value and not value.lower().startswith(starts):
        what = f"{field} must begin with {' or '.join(starts)}"
        raise Invalid(what, field=field)
    return value


def _wrong_kind(field: str, wanted: str) -> Invalid:
    return Invalid(f"{field} must be {wanted}", field=field)

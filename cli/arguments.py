"""What may stand on the command line: people, tweet ids, texts, page sizes. Checked before any store is opened."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..core.model import User
    from ..core.service import Twit

ID_MAX = (1 << 63) - 1
_NAME = re.compile(r"[A-Za-z0-9_]{1,50}")


@dataclass(frozen=True)
class Who:
    """A person as named on the command line: by name, or by number where `user_id` is not 0."""

    name: str
    user_id: int = 0

    def __str__(self) -> str:
        return str(self.user_id) if self.user_id else f"@{self.name}"


class WhoType(click.ParamType[Who]):
    """@name, or a numeric id. A bare name works where it is not a number."""

    name = "@who"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Who:
        if isinstance(value, Who):
            return value
        text = str(value)
        if text.isascii() and text.isdigit() and 0 < int(text[:20]) <= ID_MAX:
            return Who("", int(text))
        if not _NAME.fullmatch(text.removeprefix("@")) or text.isdigit():
            self.fail(f"{text!r} is neither @name (letters, digits, underscores, at most 50) nor a numeric id", param, ctx)
        return Who(text.removeprefix("@"))


class TweetIdType(click.ParamType[int]):
    """A tweet's id."""

    name = "id"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= ID_MAX):
            self.fail(f"{text!r} is not a tweet id (1 to {ID_MAX})", param, ctx)
        return int(text)


class TextType(click.ParamType[str]):
    """Any text that is valid Unicode; "-" reads stdin to its end."""

    name = "text"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if text == "-":
            text = sys.stdin.read().removesuffix("\n")
        if any("\ud800" <= char <= "\udfff" for char in text):
            self.fail("the text is not valid UTF-8", param, ctx)
        return text


WHO, TWEET_ID, TEXT = WhoType(), TweetIdType(), TextType()


async def person(twit: Twit, who: Who) -> User:
    """The account of any status, as an operator sees it. Raises `NotFound`."""
    from ..core.errors import NotFound

    user_id = who.user_id or (await twit.stores.accounts.ids_of((who.name,)))[0]
    found = (await twit.stores.accounts.get((user_id,)))[0] if user_id else None
    if found is None:
        what = f"no user {who}"
        raise NotFound(what, code="NO_USER", try_="twit user list")
    return found


async def people(twit: Twit, *whos: Who) -> list[User]:
    """The same for several."""
    return [await person(twit, who) for who in whos]

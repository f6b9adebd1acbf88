"""What people write: normalised, measured, refused where it cannot be shown, and searched for #tags, @names and links.

It never looks anything up: whether an @name is somebody is for `tweets`. Text is kept as given after NFC.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from .errors import Invalid

NFC_SHRINK_MAX = 4  # no character decomposes canonically into more (U+1F82), so NFC shortens by no more than this
NAME = re.compile(r"[A-Za-z0-9_]+")
_LINE_ENDS = frozenset("\n\r\t")
_URL = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_URL_TAIL = ".,:;!?'\")]}»”’…"
_MENTION = re.compile(r"(?<![A-Za-z0-9_@])@([A-Za-z0-9_]+)(?!@)(?![A-Za-z0-9_])")
_JOINERS = frozenset("\u200c\u200d")  # join letters in Persian and Indic words


class Entities(msgspec.Struct, frozen=True):
    """What a text points at, in order of first appearance, each once (tags and names without regard to case)."""

    hashtags: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()


def written(text: str, field: str, chars_max: int, *, lines: bool = False) -> str:
    """Return `text` in NFC. Raises `Invalid` past `chars_max` code points, and for what no store and no screen can
    carry: lone surrogates and control characters (line ends and tabs are welcome where `lines`)."""
    if len(text) > NFC_SHRINK_MAX * chars_max:  # before NFC, whose work on hostile input grows with the square
        raise _too_long(field, len(text), chars_max)
    text = unicodedata.normalize("NFC", text)
    if len(text) > chars_max:
        raise _too_long(field, len(text), chars_max)
    for char in "" if text.isprintable() else text:
        if unicodedata.category(char) in ("Cc", "Cs") and not (lines and char in _LINE_ENDS):
            what = f"{field} holds the character U+{ord(char):04X}"
            raise Invalid(what, field=field, meaning="control characters and halves of characters cannot be shown")
    return text


def blank(text: str) -> bool:
    """Whether there is nothing to see: only spaces, joiners and other invisible characters."""
    return all(unicodedata.category(char)[0] in "ZC" for char in text)


def entities(text: str, name_chars_max: int) -> Entities:
    """Find tags, names (at most `name_chars_max` long) and http links; tags and names inside links do not count."""
    urls: list[str] = []
    if "://" in text:
        urls = [url for url in map(_trimmed, _URL.findall(text)) if url.partition("://")[2]]
        text = _URL.sub(" ", text)
    names = [name for name in _MENTION.findall(text) if len(name) <= name_chars_max] if "@" in text else []
    tags = _hashtags(text) if "#" in text or "＃" in text else []
    return Entities(_once(tags), _once(names), tuple(dict.fromkeys(urls)))


def _hashtags(text: str) -> list[str]:
    """`#` and letters, digits, marks or underscores of any script, with at least one letter; not inside a word."""
    found: list[str] = []
    at = 0
    while at < len(text):
        start = at
        at += 1
        if text[start] not in "#＃" or (start and (_wordy(text[start - 1]) or text[start - 1] in "&#＃")):
            continue
        while at < len(text) and _wordy(text[at]):
            at += 1
        tag = text[start + 1 : at].rstrip("\u200c\u200d")
        if any(char.isalpha() for char in tag):
            found.append(tag)
    return found


def _wordy(char: str) -> bool:
    return char.isalnum() or char == "_" or char in _JOINERS or unicodedata.category(char)[0] == "M"


def _trimmed(url: str) -> str:
    """Without the punctuation of the sentence around it; a closing bracket stays where it was opened inside."""
    while url and url[-1] in _URL_TAIL and not (url[-1] == ")" and url.count("(") >= url.count(")")):
        url = url[:-1]
    return url


def _once(words: list[str]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for word in words:
        kept.setdefault(word.casefold(), word)
    return tuple(kept.values())


def _too_long(field: str, chars: int, chars_max: int) -> Invalid:
    return Invalid(f"{field} has {chars} characters, {chars - chars_max} more than the {chars_max} allowed", field=field)

"""What may be written, how long it is, and what is found in it."""

from __future__ import annotations

import pytest

from twit.core.errors import Invalid
from twit.core.text import blank, entities, written


def tags(text: str) -> tuple[str, ...]:
    return entities(text, 50).hashtags


def names(text: str) -> tuple[str, ...]:
    return entities(text, 50).names


def urls(text: str) -> tuple[str, ...]:
    return entities(text, 50).urls


@pytest.mark.parametrize("size", [279, 280])
def test_a_text_up_to_its_limit_is_kept_as_it_is(size):
    assert written("é" * size, "text", 280) == "é" * size


@pytest.mark.parametrize("text", ["x" * 281, "é" * 281, "👍🏽" * 141, "x" * 1_000_000])
def test_a_longer_one_is_refused_in_code_points(text):
    with pytest.raises(Invalid, match="more than the 280 allowed") as refused:
        written(text, "text", 280)
    assert refused.value.field == "text"


def test_the_length_is_taken_after_composing():
    assert written("e\u0301" * 280, "text", 280) == "é" * 280


def test_hostile_marks_are_refused_without_sorting_them():
    with pytest.raises(Invalid):
        written("a" + "\u0301\u0323" * 500_000, "text", 280)


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\x7f", "\x85", "\ud800", "\udfff"])
def test_what_no_screen_can_carry_is_refused(char):
    with pytest.raises(Invalid, match=f"U\\+{ord(char):04X}"):
        written(f"a{char}b", "text", 280, lines=True)


def test_line_ends_are_welcome_in_tweets_and_not_in_names():
    assert written("a\nb\tc", "text", 280, lines=True) == "a\nb\tc"
    with pytest.raises(Invalid):
        written("a\nb", "display_name", 280)


@pytest.mark.parametrize(("text", "nothing"), [("", True), (" \n\t", True), ("\u200b\u200d", True), (".", False), ("👍", False)])
def test_only_invisible_characters_are_nothing(text, nothing):
    assert blank(text) is nothing


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#one two #Three", ("one", "Three")),
        ("#a#b", ("a",)),
        ("#1984 #1984a #_ #__x", ("1984a", "__x")),
        ("a#b &#39; ##c", ()),
        ("#Grüße #東京 ＃タグ #हिन्दी #سلام", ("Grüße", "東京", "タグ", "हिन्दी", "سلام")),
        ("(#tag), #end.", ("tag", "end")),
        ("#Tag #tag #TAG", ("Tag",)),
        ("see https://example.com/#top", ()),
        ("# #", ()),
    ],
)
def test_hashtags(text, found):
    assert tags(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@ada and @Bob_2!", ("ada", "Bob_2")),
        (".@ada", ("ada",)),
        ("write to ada@example.com", ()),
        ("@ada@example.org", ()),
        ("@ada @ADA", ("ada",)),
        ("こんにちは@ada", ("ada",)),
        ("https://example.com/@ada", ()),
        ("@", ()),
        ("@" + "a" * 50, ("a" * 50,)),
        ("@" + "a" * 51, ()),
    ],
)
def test_mentions_follow_the_rules_of_names(text, found):
    assert names(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://example.com/a?b=c#d.", ("https://example.com/a?b=c#d",)),
        ("(http://example.com)", ("http://example.com",)),
        ("https://en.wikipedia.org/wiki/Ring_(mathematics)", ("https://en.wikipedia.org/wiki/Ring_(mathematics)",)),
        ("ftp://example.com javascript://x", ()),
        ("https:// http://", ()),
        ("https://a.example https://a.example", ("https://a.example",)),
    ],
)
def test_links(text, found):
    assert urls(text) == found

"""`twit import`: what a file of pairs or of interactions becomes, told from small files of the same format."""

import gzip

import pytest

from twit.core.errors import Invalid, NotFound
from twit.core.ids import ms_of
from twit.ops.imports.lines import BadLines, file_user, parsed
from twit.ops.imports.replay import Action, Case, Replay, Row, parse_row

NOON = 1_341_144_000


def replay(rows):
    walk = Replay(lambda number: number + 1_000, lambda number: f"u{number}", node=960, at_ms=0)
    return walk, [new.tweet for row in rows for new in walk.apply(Row(*row))]


def test_a_mention_is_a_tweet_that_names_its_target():
    _, [tweet] = replay([(1, 2, NOON, Action.MENTION)])
    assert (tweet.author_id, tweet.mentions, tweet.mention_names) == (1_001, (1_002,), ("u2",))
    assert "@u2" in tweet.text


def test_a_reply_goes_to_the_newest_words_of_its_target():
    _, tweets = replay([(2, 9, NOON, Action.MENTION), (2, 9, NOON + 1, Action.MENTION), (1, 2, NOON + 2, Action.REPLY)])
    assert tweets[2].reply_to == tweets[1].tweet_id
    assert tweets[2].conversation_id == tweets[1].tweet_id


def test_a_reply_to_a_silent_target_makes_him_say_something_first():
    walk, [original, reply] = replay([(1, 2, NOON, Action.REPLY)])
    assert (original.author_id, reply.reply_to) == (1_002, original.tweet_id)
    assert walk.cases[Case.REPLY_TO_MADE] == 1


def test_retweets_take_the_newest_not_yet_retweeted_and_then_an_original_made_for_it():
    walk, tweets = replay([
        (2, 9, NOON, Action.MENTION), (2, 9, NOON + 1, Action.MENTION),
        (1, 2, NOON + 2, Action.RETWEET), (1, 2, NOON + 3, Action.RETWEET), (1, 2, NOON + 4, Action.RETWEET),
    ])
    first, second, newest, older, made, of_made = tweets
    assert [newest.retweet_of, older.retweet_of, of_made.retweet_of] == [second.tweet_id, first.tweet_id, made.tweet_id]
    assert (walk.cases[Case.RETWEET], walk.cases[Case.RETWEET_OF_MADE]) == (2, 1)


def test_a_retweet_is_no_words_of_its_author():
    _, tweets = replay([(2, 3, NOON, Action.RETWEET), (1, 2, NOON + 1, Action.RETWEET)])
    assert tweets[3].retweet_of == tweets[2].tweet_id
    assert tweets[2].author_id == 1_002


def test_ids_are_dated_by_their_rows_and_rise_within_a_second():
    _, tweets = replay([(1, 2, NOON, Action.MENTION)] * 1_500 + [(1, 2, NOON + 1, Action.MENTION)])
    ids = [tweet.tweet_id for tweet in tweets]
    assert ids == sorted(set(ids))
    assert {ms_of(tweet_id) // 1000 for tweet_id in ids[:-1]} == {NOON}
    assert ms_of(ids[-1]) == (NOON + 1) * 1000


def test_the_same_rows_give_the_same_tweets():
    rows = [(1, 2, NOON, Action.RETWEET), (3, 1, NOON, Action.REPLY), (2, 3, NOON + 5, Action.MENTION)]
    assert replay(rows)[1] == replay(rows)[1]


@pytest.mark.parametrize(("line", "why"), [
    ("1 2 1341100972", "3 fields"), ("1 2 1341100972 RT x", "5 fields"), ("a 2 1341100972 RT", "'a' is not"),
    ("1 -2 1341100972 RT", "'-2' is not"), ("1 2 soon RT", "'soon' is not a unix time"), ("1 2 1341100972 LIKE", "'LIKE' is none of"),
    ("1 2 1262303999 RT", "not a unix time between"), ("9007199254740992 2 1341100972 RT", "is not a user number"),
])
def test_a_bad_row_says_why(line, why):
    with pytest.raises(ValueError, match=why):
        parse_row(line.split())


def test_the_first_second_and_the_largest_user_are_good_rows():
    assert parse_row("9007199254740991 2 1262304000 RT".split()).second == 1_262_304_000


def test_bad_lines_are_reported_by_number_and_skipped(tmp_path):
    path = tmp_path / "pairs.gz"
    path.write_bytes(gzip.compress(b"# head\n1 2\nx y\n\n3 4\n" + b"5" * 5_000 + b" 6\n\xff 1\n7 8\n"))
    bad = BadLines()
    good = [fields for _, fields in parsed(path, lambda fields: [file_user(field) for field in fields], bad)]
    assert good == [[1, 2], [3, 4], [7, 8]]
    assert [line.number for line in bad.kept] == [3, 6, 7]


def test_a_gzip_that_breaks_off_is_refused_where_it_breaks(tmp_path):
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(b"1 2\n" * 100_000)[:-20])
    with pytest.raises(Invalid, match="breaks off after line"):
        list(parsed(path, list, BadLines()))


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFound, match="no file"):
        list(parsed(tmp_path / "none", list, BadLines()))

"""The quick way of encoding tweets that show no other says the very bytes of the ordinary one."""

from twit.core.gateway.encode import author_out, encoded, plain_encoded
from twit.core.model import Tweet, TweetCounts, User
from twit.core.shown import TweetView

ANN = User(user_id=7, username="ann", display_name='Ann "the\nfirst"', is_verified=True)
BOB = User(user_id=(1 << 40) + 1, username="bob", display_name="Bob 🦜")
TWEETS = [
    Tweet(tweet_id=5, author_id=7, text="one\nline\r\nand\u2028another", created_ms=1_700_000_000_000, conversation_id=5),
    Tweet(tweet_id=6, author_id=7, text="an answer", created_ms=1_700_000_000_001, conversation_id=5, reply_to=5, reply_to_author=7),
    Tweet(tweet_id=(1 << 63) - 1, author_id=BOB.user_id, text="", created_ms=1_262_304_000_999),
    Tweet(tweet_id=8, author_id=BOB.user_id, text="#a @ann https://x.y", created_ms=1, conversation_id=8, hashtags=("a",), mentions=(7,),
          mention_names=("ann",), urls=("https://x.y",), media=("m1", "m2")),
]  # fmt: skip
COUNTS = [TweetCounts(), TweetCounts(1, 2, 3, 4), TweetCounts(0, 0, 0, 1), TweetCounts()]


def test_many_at_once_are_encoded_as_each_alone():
    people = {user.user_id: user for user in (ANN, BOB)}
    made = [(at, tweet, author_out(people[tweet.author_id])) for at, tweet in enumerate(TWEETS)]
    alone = [
        encoded(TweetView(tweet=tweet, author=people[tweet.author_id], counts=counts), flags=False)
        for tweet, counts in zip(TWEETS, COUNTS, strict=True)
    ]
    assert plain_encoded(made, COUNTS) == alone


def test_none_are_none():
    assert plain_encoded([], []) == []

"""The naive model says what the rules of timelines mean: each rule once, by hand, with nothing of the core."""

from __future__ import annotations

from twit.simulate.checkers.reference import Reference

ADA, BOB, CY, DEE = 1, 2, 3, 4


def world(*follows: tuple[int, int], window: int = 40) -> Reference:
    reference = Reference(window)
    for user in (ADA, BOB, CY, DEE):
        reference.sign_up(user)
    for follower, followee in follows:
        reference.follow(follower, followee)
    return reference


def test_home_holds_own_and_followed_tweets_newest_first():
    twit = world((ADA, BOB))
    for tweet_id, author in ((10, BOB), (11, ADA), (12, CY), (13, BOB)):
        twit.post(tweet_id, author)
    assert twit.home(ADA) == [13, 11, 10]


def test_nothing_depends_on_when_the_reader_followed():
    twit = world()
    twit.post(10, BOB)
    twit.follow(ADA, BOB)
    assert twit.home(ADA) == [10]
    twit.unfollow(ADA, BOB)
    assert twit.home(ADA) == []


def test_a_reply_to_a_stranger_stays_out_until_the_stranger_is_followed():
    twit = world((ADA, BOB))
    twit.post(10, CY)
    twit.post(11, BOB, reply_to=10)
    assert twit.home(ADA) == []
    twit.follow(ADA, CY)
    assert twit.home(ADA) == [11, 10]


def test_replies_to_me_and_to_oneself_come_in():
    twit = world((ADA, BOB))
    twit.post(10, ADA)
    twit.post(11, BOB, reply_to=10)
    twit.post(12, BOB, reply_to=11)
    assert twit.home(ADA) == [12, 11, 10]


def test_a_repetition_is_hidden_within_the_window_and_no_further():
    twit = world((ADA, BOB), (ADA, CY), window=2)
    twit.post(10, BOB)
    twit.post(11, BOB)
    twit.retweet(12, CY, 10)
    assert twit.home(ADA) == [11, 10]
    twit.post(13, BOB)
    twit.retweet(14, ADA, 10)
    assert twit.home(ADA) == [13, 11, 10]  # 12 is hidden itself and still hides 14
    twit.unretweet(CY, 10)
    assert twit.home(ADA) == [14, 13, 11, 10]


def test_a_follow_without_retweets_hides_retweets_only():
    twit = world((ADA, BOB))
    twit.follow(ADA, BOB, retweets=False)
    twit.post(10, CY)
    twit.retweet(11, BOB, 10)
    twit.post(12, BOB)
    assert twit.home(ADA) == [12]


def test_retweets_of_a_deleted_tweet_vanish_and_replies_stay():
    twit = world((ADA, BOB), (ADA, CY))
    twit.post(10, CY)
    twit.retweet(11, BOB, 10)
    twit.post(12, BOB, reply_to=10)
    twit.delete(10)
    assert twit.home(ADA) == [12]


def test_a_block_hides_both_ways_mentions_and_answers_too():
    twit = world((ADA, BOB), (CY, BOB))
    twit.post(10, CY)
    twit.retweet(11, BOB, 10)
    twit.post(12, BOB, mentions=[CY])
    twit.post(13, BOB, reply_to=10)
    twit.follow(ADA, CY)
    assert twit.home(ADA) == [13, 12, 10]  # 11 repeats 10
    twit.block(CY, ADA)
    assert twit.home(ADA) == []
    assert not twit.sees(ADA, 10)
    assert not twit.may_follow(ADA, CY)
    twit.unblock(CY, ADA)
    assert twit.home(ADA) == [12, 11]


def test_a_mute_hides_at_home_only():
    twit = world((ADA, BOB))
    twit.post(10, BOB)
    twit.mute(ADA, BOB)
    assert twit.home(ADA) == []
    assert twit.user_timeline(ADA, BOB) == [10]


def test_a_private_account_is_for_accepted_followers_and_nobody_shares_it():
    twit = world((ADA, BOB))
    twit.set_private(BOB, private=True)
    twit.post(10, BOB)
    twit.follow(CY, BOB)
    assert (twit.home(ADA), twit.home(CY)) == ([10], [])
    assert not any(twit.may_share(who, 10) for who in (ADA, BOB, CY))
    assert twit.may_answer(ADA, 10)
    twit.accept(BOB, CY)
    assert twit.home(CY) == [10]


def test_turning_public_accepts_who_asked():
    twit = world()
    twit.set_private(BOB, private=True)
    twit.follow(ADA, BOB, retweets=False)
    twit.set_private(BOB, private=False)
    assert twit.follows == {(ADA, BOB): False}


def test_a_deactivated_account_vanishes_and_returns_whole():
    twit = world((ADA, BOB), (CY, ADA))
    twit.post(10, BOB)
    twit.retweet(11, ADA, 10)
    twit.deactivate(BOB)
    assert (twit.home(ADA), twit.home(CY)) == ([], [])
    twit.reactivate(BOB)
    assert (twit.home(ADA), twit.home(CY)) == ([10], [11])


def test_own_tweets_show_even_to_somebody_muted():
    twit = world()
    twit.post(10, BOB)
    twit.mute(ADA, BOB)
    twit.retweet(11, ADA, 10)
    assert twit.home(ADA) == [11]


def test_counts_are_of_what_stands():
    twit = world((ADA, BOB))
    twit.post(10, BOB)
    twit.retweet(11, ADA, 10)
    twit.post(12, CY, reply_to=11)
    twit.post(13, CY, quote_of=10)
    twit.like(CY, 11)
    assert twit.tweet_counts(10) == (1, 1, 1, 1)
    twit.unretweet(ADA, 11)
    twit.delete(13)
    assert twit.tweet_counts(10) == (1, 0, 1, 0)
    assert twit.user_counts(BOB) == (1, 0, 1)
    assert twit.user_counts(CY) == (0, 0, 1)

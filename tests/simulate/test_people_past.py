"""Past tweets of anyone: from the id alone, newest first, pointing at tweets that exist."""

import numpy as np
import pytest

from twit.core.ids import ms_of
from twit.core.text import entities
from twit.simulate.population import activity, past, texts, threads
from twit.simulate.population.people import open_population

NOW = 1_700_000_000_000
DAY = 86_400_000


@pytest.fixture(scope="module")
def people():
    return open_population(20_000, seed=5)


@pytest.fixture(scope="module")
def authors(people):
    """Some of every kind: the busiest, ordinary ones, those who hardly ever tweet."""
    ids = np.arange(people.graph.users)
    rates = people.tweet_rate(ids)
    order = ids[rates > 0][np.argsort(rates[rates > 0])]
    return order[np.linspace(0, len(order) - 1, 60).astype(int)]


@pytest.fixture(scope="module")
def newest(people, authors):
    """Ids of their newest tweets, together."""
    return np.concatenate([entries[:, 0] for entries in people.tweets_of(authors, 0, 0, 60, NOW)])


def ids_of(people, author, before=0, after=0, limit=500, now_ms=NOW):
    return people.tweets_of([author], before, after, limit, now_ms)[0][:, 0]


def test_tweets_come_newest_first_once_a_window_and_not_after_now(people, authors):
    for entries in people.tweets_of(authors, 0, 0, 300, NOW):
        ids = entries[:, 0]
        assert (np.diff(ids >> 29) < 0).all()
        assert all(ms_of(int(one)) <= NOW for one in ids[:1])


def test_pages_put_together_are_the_whole(people, authors):
    for author in authors[::6]:
        whole, paged, before = ids_of(people, author, limit=60), [], 0
        while len(paged) < 60 and len(page := ids_of(people, author, before=before, limit=7)):
            paged += page.tolist()
            before = paged[-1]
        assert paged[:60] == whole.tolist()


def test_before_and_after_cut_exactly(people, authors):
    ids = ids_of(people, authors[-1], limit=50)
    assert ids_of(people, authors[-1], before=int(ids[9]), after=int(ids[40])).tolist() == ids[10:40].tolist()
    assert len(ids_of(people, authors[-1], before=int(ids[9]), after=int(ids[9]) - 1)) == 0


def test_an_earlier_now_shows_the_same_past(people, authors):
    for author in authors[::10]:
        ids = ids_of(people, author, limit=200)
        then = NOW - 30 * DAY
        assert ids_of(people, author, now_ms=then, limit=50).tolist() == [one for one in ids.tolist() if ms_of(one) <= then][:50] or len(ids) == 200


def test_who_never_tweets_has_no_tweets_and_nobody_any_before_his_creation(people, authors):
    silent = int(np.flatnonzero(people.tweet_rate(np.arange(2_000)) == 0)[0])
    assert len(ids_of(people, silent)) == 0
    for author in authors[:20]:
        ids, made = ids_of(people, author, limit=5_000), people.user(int(author)).created_ms
        assert all(ms_of(int(one)) > made for one in ids[-3:])
        assert len(ids_of(people, author, now_ms=made)) == 0


def test_an_id_tells_author_and_instant_and_is_verified(people, authors, newest):
    assert people.exists(newest, NOW).all()
    assert set(people.author_of(newest).tolist()) == {int(author) for author in authors if len(ids_of(people, author))}
    assert not people.exists(newest + (1 << 29), NOW).any() or (people.exists(newest + (1 << 29), NOW).mean() < 0.01)
    someone_else = (newest >> 29 << 29) | past.code_of(people.act, 17)
    assert people.exists(someone_else, NOW).mean() < 0.01
    assert people.tweet([0, -5, 1 << 70, int(newest[0]) ^ 1], NOW) == [None] * 4
    assert people.tweet([int(newest[0])], ms_of(int(newest[0])) - 1) == [None]


@pytest.mark.parametrize("bits", [29, 30, 31])
def test_the_authors_part_of_an_id_is_a_permutation(people, bits):
    act = people.act.copy()
    act[activity.ID_BITS] = bits
    some = np.linspace(0, (1 << bits) - 1, 5_000).astype(np.int64)
    codes = [past.code_of(act, int(one)) for one in some]
    assert len(set(codes)) == len(some)
    assert max(codes) < 1 << bits
    assert [past.index_of(act, code) for code in codes] == some.tolist()


def test_people_tweet_as_often_as_their_rate_says(people, authors):
    start, years = NOW - 3 * 365 * DAY, 3 * 365
    young = [int(one) for one in authors if people.user(int(one)).created_ms < start]
    rates = people.tweet_rate(young)
    counts = people.tweet_count(young, NOW) - people.tweet_count(young, start)
    expected = rates * years
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected) + 3).all()
    assert counts.sum() == pytest.approx(expected.sum(), rel=0.02)


def test_counting_agrees_with_listing(people, authors):
    for author in authors[:40:4]:
        listed = len(ids_of(people, author, limit=20_000))
        assert abs(people.tweet_count([int(author)], NOW)[0] - listed) <= 1 + listed // 300


def test_tweets_follow_the_clock_of_the_region(people):
    ids = np.arange(people.graph.users)
    home = ids[(people.graph.region_of(ids) == 0) & (people.tweet_rate(ids) > 2)]
    made = np.concatenate([entries[:, 0] for entries in people.tweets_of(home[:300], 0, 0, 200, NOW)])
    hours = ((made >> 22) + 1_262_304_000_000) % DAY // 3_600_000
    share = np.bincount(hours, minlength=24) / len(made) * 24
    assert np.abs(share - people.clock.by_region[0].reshape(24, 60).mean(axis=1)).max() < 0.12


def test_what_a_tweet_points_at_is_real_earlier_and_by_somebody_the_author_follows(people, newest):
    for one in people.tweet(newest, NOW):
        of = one.reply_to or one.retweet_of or one.quote_of
        if not of:
            assert one.conversation_id == one.tweet_id
            continue
        parent = people.tweet([of], ms_of(one.tweet_id))[0]
        author = one.reply_to_author or one.retweet_of_author or one.quote_of_author
        assert parent is not None
        assert (parent.author_id, parent.retweet_of) == (author, 0)
        assert parent.tweet_id < one.tweet_id
        assert people.graph.is_following([one.author_id - 1], [author - 1])[0]
        assert one.conversation_id == (parent.conversation_id if one.reply_to else one.tweet_id)


def test_chains_of_replies_end(people, newest):
    for start in people.tweet(newest, NOW)[::5]:
        one, steps = start, 0
        while one.reply_to:
            one, steps = people.tweet([one.reply_to], NOW)[0], steps + 1
        assert steps <= threads.LEVELS


def test_nobody_retweets_a_tweet_twice(people, authors):
    for entries in people.tweets_of(authors, 0, 0, 400, NOW):
        originals = entries[entries[:, 1] > 0, 1]
        assert len(np.unique(originals)) == len(originals)


def test_lists_and_single_tweets_agree_on_retweets(people, authors):
    entries = np.concatenate(people.tweets_of(authors, 0, 0, 30, NOW))
    assert [one.retweet_of for one in people.tweet(entries[:, 0], NOW)] == entries[:, 1].tolist()
    assert 0.1 < (entries[:, 1] > 0).mean() < 0.6


def test_texts_hold_what_the_tweet_says_they_hold(people, newest):
    tags = 0
    for one in people.tweet(newest, NOW):
        found = entities(one.text, 50)
        assert (found.hashtags, found.names, found.urls) == (one.hashtags, one.mention_names, one.urls)
        assert one.mention_names == tuple(f"u{who}" for who in one.mentions)
        assert len(one.text) <= 280
        assert bool(one.text) != bool(one.retweet_of)
        tags += bool(one.hashtags)
    assert tags > 0


def test_hashtags_follow_zipf_and_have_names_of_their_own():
    ranks = np.array([texts.zipf((at + 0.5) / 100_000, 1_000, 1.0) for at in range(100_000)])
    used = np.bincount(ranks, minlength=1_000)
    assert (ranks.min(), ranks.max()) == (0, 999)
    assert used[9] / used[99] == pytest.approx(10, rel=0.15)
    assert len({texts.hashtag(rank) for rank in range(50_000)}) == 50_000


def test_reactions_grow_with_age_and_stay_within_the_followers(people, newest):
    some = newest[::7]
    before = None
    for days in (0, 1 / 24, 1, 30):
        counts = np.array([[c.likes, c.retweets, c.replies, c.quotes] for c in people.counts(some, NOW + int(days * DAY))])
        assert before is None or (counts >= before).all()
        before = counts
    assert before.sum() > 0
    assert (before <= people.graph.in_degree(people.author_of(some))[:, None]).all()
    retweets = [one.tweet_id for one in people.tweet(newest, NOW) if one.retweet_of]
    assert not any(count.likes for count in people.counts(retweets, NOW))
    assert not any(count.likes for count in people.counts([12345], NOW))


def test_a_tweet_is_the_same_in_whatever_company_it_is_asked(people, newest):
    alone = [people.tweet([int(one)], NOW)[0] for one in newest[:10]]
    assert alone == people.tweet(newest[::-1], NOW)[::-1][:10]

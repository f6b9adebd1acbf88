"""Authors' lists put together: as sorting everything would, for few authors and for many, near in number or far apart."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twit.core.merging import HEAD, Merger, newest_of


def lists_of(lengths, chance, spread):
    """Lists of these lengths, newest first, their ids and authors drawn; a third are retweets."""
    ids = chance.permutation(np.arange(1, sum(lengths) + 1)) * 3
    authors = (chance.permutation(len(lengths) * spread)[: len(lengths)] + 1).tolist()
    found, at = {}, 0
    for author, length in zip(authors, lengths, strict=True):
        own = np.sort(ids[at : at + length])[::-1]
        found[author] = np.stack([own, np.where(chance.random(length) < 0.3, own - 1, 0)], axis=1)
        at += length
    return found


def sorted_whole(lists, limit):
    everything = sorted((pair for entries in lists for pair in entries.tolist()), reverse=True)
    return everything[:limit], everything[limit - 1][0] if len(everything) > limit else 0


LENGTHS = st.lists(st.sampled_from([0, 1, 2, 5, HEAD - 1, HEAD, HEAD + 1, 3 * HEAD]), min_size=1, max_size=12)


@given(LENGTHS, st.integers(1, 60), st.integers(0, 99))
def test_merging_lists_takes_the_newest_and_says_how_far_down(lengths, limit, seed):
    lists = list(lists_of(lengths, np.random.default_rng(seed), 1).values())
    merged, complete_back_to = newest_of(lists, limit)
    assert (merged.tolist(), complete_back_to) == sorted_whole(lists, limit)


@given(LENGTHS, st.integers(1, 60), st.sampled_from([1, 10_000]), st.booleans(), st.integers(0, 99))
def test_a_reader_gets_of_many_authors_what_merging_his_own_gives(lengths, limit, spread, retweets, seed):
    chance = np.random.default_rng(seed)
    lists = lists_of(lengths, chance, spread)
    if not retweets:
        lists = {author: entries * (1, 0) for author, entries in lists.items()}
    merger = Merger(lists)
    for _ in range(3):
        row = [author for author in lists if chance.random() < 0.7] or list(lists)
        merged, complete_back_to = merger.newest(row, limit)
        assert (merged.tolist(), complete_back_to) == sorted_whole([lists[author] for author in row], limit)


def test_nobody_to_merge_gives_nothing():
    assert [len(entries) for entries in (newest_of([], 5)[0], Merger({}).newest((), 5)[0])] == [0, 0]

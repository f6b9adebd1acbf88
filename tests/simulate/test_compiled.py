"""Where compiled code and kept tables lie: with the user, and never where somebody else may have put what is run."""

import os
import tempfile

import pytest

from twit.simulate.compiled import cache_folder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """The user's cache, and the folder of temporary ones."""
    home, temporary = tmp_path / "cache", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return home, temporary


def test_it_is_the_users_cache_and_the_same_each_time(places):
    home, _ = places
    assert cache_folder() == cache_folder()
    assert cache_folder().parent == home / "twit"


def test_without_one_it_is_a_folder_that_only_the_user_reads(places):
    home, temporary = places
    home.write_text("no folder")
    assert cache_folder() == cache_folder()
    assert cache_folder().parent == temporary / f"twit-{os.getuid()}"
    assert cache_folder().parent.stat().st_mode & 0o777 == 0o700


def test_what_another_user_made_is_left_alone(places, monkeypatch):
    home, temporary = places
    another = os.getuid() + 1
    theirs = cache_folder().name
    (temporary / f"twit-{another}" / theirs).mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: another)
    found = cache_folder()
    assert found.parent == temporary
    assert list(found.iterdir()) == []

"""The command line in a home, a working folder and a data directory of its own."""

from __future__ import annotations

import os

import pytest
from homes import Home


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("TWIT_")]:
        monkeypatch.delenv(name)
    made = Home(tmp_path)
    monkeypatch.chdir(made.work)
    return made


@pytest.fixture
def town(home):
    """@ada and @grace, who follows her."""
    home.settle_in()
    home.ok("follow", "@grace", "@ada")
    return home

"""Small rows, so that a few tweets fill one."""

from __future__ import annotations

import pytest
from timeline_builders import SHOWN

from twit.core.limits import Limits


@pytest.fixture
def limits() -> Limits:
    return Limits(timeline_entries_max=SHOWN)

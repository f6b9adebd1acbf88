"""The world in which a job runs."""

from __future__ import annotations

import pytest
from job_worlds import World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)

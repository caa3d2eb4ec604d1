"""Where cases keep their journals: in memory, where there is such a file system, for thousands of packs are synced."""

import os
import tempfile

import pytest


@pytest.fixture
def folder():
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as path:
        yield path

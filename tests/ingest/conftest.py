"""What several tests of ingest need."""

import gc

import pytest


@pytest.fixture
def garbage_stays():
    """What earlier tests left is not collected: a text that is nested as deep as the stack goes is no place for their
    finalizers, whose RecursionError would be this test's failure."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()

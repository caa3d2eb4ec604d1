import asyncio

import pytest

from tests.parts.patient_loop import PatientPolicy


@pytest.fixture(autouse=True)
def patient():
    """Deadlines of a few tenths of a second are met in these tests, however long the machine stands still meanwhile."""
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(PatientPolicy())
    yield
    asyncio.set_event_loop_policy(before)

"""What the agent uses of the contract loads, and decodes."""


def test_stored_is_decoded(args):
    from wire import stored

    assert stored.decode(b'{"ep":"9f3c21aa","sq":[[1,3]]}') == ("9f3c21aa", [[1, 3]])

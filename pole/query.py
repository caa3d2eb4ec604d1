"""`pole query`."""


def query() -> None:
    """query"""

"""`pole demo`."""


def demo() -> None:
    """demo"""

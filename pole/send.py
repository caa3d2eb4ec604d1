"""`pole send`."""


def send() -> None:
    """send"""

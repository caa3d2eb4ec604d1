"""`pole reconcile`."""


def reconcile() -> None:
    """reconcile"""

"""Exception
└── LoadError    the load cannot begin or go on; the message says what to do
"""


class LoadError(Exception):
    """No measurement was made."""

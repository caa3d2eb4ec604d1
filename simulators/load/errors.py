"""Exception
└── LoadError    the load cannot begin; the message says what to do
"""


class LoadError(Exception):
    """No measurement was made."""

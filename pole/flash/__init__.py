"""A bare controller comes IN, one that runs the agent of its pole goes OUT, with an acceptance sheet.

FlashError
└── ControllerError
"""


class FlashError(Exception):
    """A step failed: `reason` says what is wrong, with names and values; `remedy` what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}\n{remedy}")
        self.reason = reason
        self.remedy = remedy


class ControllerError(FlashError):
    """The controller answers, and what it was told to do raised something there."""


__all__ = ["ControllerError", "FlashError"]

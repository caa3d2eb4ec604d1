"""One module a board: everything that touches its hardware, behind the same small interface."""

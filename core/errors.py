"""Errors that a person may see. Anything else is a bug and is not shown.

A message is one sentence or two: what arrived, what was expected, what to do.
"""

from __future__ import annotations


class UserFacingError(Exception):
    """Refused input. ``code`` is stable, for tables of problems; the message is for people."""

    def __init__(self, message: str, *, code: str = "refused") -> None:
        super().__init__(message)
        self.code = code


class MediaError(UserFacingError):
    """A sound or a picture that cannot be used."""


class ArchiveError(UserFacingError):
    """A zip archive, or one entry of it, that cannot be used."""


class TableError(UserFacingError):
    """A manifest that cannot be read."""


class DataError(UserFacingError):
    """A data set that is missing, unknown or not laid out as published."""


class StoreError(UserFacingError):
    """A collection or an artifact that is missing, damaged or in use."""

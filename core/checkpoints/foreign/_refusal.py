"""The one error of reading other people's weights, and the limits that lead to it."""

from __future__ import annotations

from core.errors import UserFacingError

MAX_FILE = 4 << 30  # bytes; the largest network known here, ResNet54 with Gaussian weights, has 0.9 GB
MAX_TENSORS = 20_000
SHOWN = 60  # characters of a name from a file that a message repeats


class ForeignError(UserFacingError):
    """A weights file that cannot be used."""


def shown(text: object) -> str:
    """A name out of a file, made harmless for a terminal and cut."""
    return str(text)[:SHOWN].encode("unicode_escape").decode()

"""How large a scene a file of so many bytes can be: the limit for compressed files that claim more."""

from __future__ import annotations

from sogs_worker.errors import BadInputError

FREE_BYTES = 1 << 26
"""What any file may be decoded to: little enough to do no harm."""

MAX_RATIO = 200
"""Of decoded to stored bytes. Real scenes reach 15 to 30, and hardly 100 where all splats are much alike."""


def refuse_implausible(count: int, coefficients: int, size_bytes: int) -> None:
    """Refuse a count of splats, with so many SH coefficients a channel above the constant one, before it is allocated.

    Raises:
        BadInputError: if a file of `size_bytes` cannot hold them.
    """
    decoded_bytes = count * 4 * (14 + 3 * coefficients)
    if decoded_bytes > max(FREE_BYTES, MAX_RATIO * size_bytes):
        raise BadInputError(
            f"claims {count:,} splats, which {size_bytes:,} bytes cannot hold; take the file from where it was made"
        )

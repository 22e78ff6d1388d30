"""The one error a builder of images sees."""


class ImageError(Exception):
    """One sentence: what could not be built or read, and what to do about it."""

"""The one error a user of the cluster sees."""


class ClusterError(Exception):
    """One sentence: what went wrong, with which object, and what to do about it."""

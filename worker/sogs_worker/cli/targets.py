"""What OUT may be."""

from __future__ import annotations

from sogs_worker.errors import UsageError
from sogs_worker.naming import is_target, target_ending


def check_output(output: str, count: int, output_format: str) -> None:
    """Refuse an output that cannot take `count` scenes.

    Raises:
        UsageError: it is neither a folder nor a target of this format for one scene.
    """
    if output.endswith("/"):
        return
    if count > 1:
        raise UsageError(f"{output}: {count} scenes need a folder as output, a path that ends in /")
    if not is_target(output, output_format):
        raise UsageError(f"{output}: the output must end in {target_ending(output_format)}, or in / for a folder")

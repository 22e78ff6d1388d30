"""What OUT may be."""

from __future__ import annotations

from sogs_worker.cli.streams import STREAM, name_output
from sogs_worker.errors import UsageError
from sogs_worker.naming import BUNDLED, is_target, target_ending
from sogs_worker.source.names import Pattern


def check_output(output: str, count: int, output_format: str, names: Pattern) -> None:
    """Refuse an output that cannot take `count` scenes.

    Raises:
        UsageError: it is neither a folder nor a target of this format for one scene.
    """
    if output.endswith("/"):
        return
    name = name_output(output)
    if not names.is_default:
        raise UsageError(f"{name}: --names has no meaning for exactly one file; end OUT in / or leave --names out")
    if count > 1:
        raise UsageError(f"{name}: {count} scenes need a folder as output, a path that ends in /")
    if output == STREAM and output_format == BUNDLED:
        return
    if output == STREAM:
        raise UsageError(f"{name}: takes one file, and --format {output_format} makes several; name a folder")
    if not is_target(output, output_format):
        raise UsageError(f"{name}: the output must end in {target_ending(output_format)}, or in / for a folder")

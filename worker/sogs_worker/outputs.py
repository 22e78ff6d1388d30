"""Where the output of each input goes, decided before any work starts."""

from __future__ import annotations

from pathlib import Path

from sogs_worker.errors import UsageError

BUNDLE_SUFFIX = ".sog"

SCENE_SUFFIXES = (".compressed.ply", ".ply", ".sog")
"""What is taken off a scene's file name to name its output."""


def plan_outputs(inputs: list[str], output: str) -> list[tuple[Path, Path]]:
    """Pair inputs with outputs: a folder, that is a path ending in `/`, takes any number, a `.sog` file exactly one.

    Raises:
        UsageError: if the output is neither, two inputs have one output, or an input would be overwritten.
    """
    for text in (*inputs, output):
        if "://" in text:
            raise UsageError(f"{text}: only paths of this machine can be named here; copy the scene first")
    is_folder = output.endswith("/")
    if len(inputs) > 1 and not is_folder:
        raise UsageError(f"{output}: {len(inputs)} inputs need a folder as output, a path that ends in /")
    if not is_folder and not output.endswith(BUNDLE_SUFFIX):
        raise UsageError(f"{output}: the output must end in {BUNDLE_SUFFIX}, or in / for a folder")
    targets = [Path(output) / f"{_stem(Path(text))}{BUNDLE_SUFFIX}" if is_folder else Path(output) for text in inputs]
    sources = [Path(text) for text in inputs]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"{target}: two inputs would be written here; rename one or compress them apart")
        if target.resolve() in [source.resolve() for source in sources]:
            raise UsageError(f"{target}: an input would be overwritten; name another output")
    return list(zip(sources, targets, strict=True))


def _stem(path: Path) -> str:
    """Return a scene's name; an unbundled one's is its folder's."""
    name = path.resolve().parent.name if path.name == "meta.json" else path.name
    suffix = next((suffix for suffix in SCENE_SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]

"""The encoders that are compared: how each is called, and where it puts its result."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import fill_in, run_measured

ROOT = Path(__file__).parent.parent
QUALITIES = ("fast", "balanced", "best")
PROBE_LIMIT_S = 60


@dataclass(frozen=True)
class Encoder:
    """One way to make a bundle.

    Attributes:
        name: its row in the tables.
        family: its line in the plots.
        version: as it calls itself.
        command: arguments; `{scene}`, `{again}` (the same scene under another name) and `{out}` (a folder) are
            filled in.
        result: the bundle, or its meta.json, below `{out}`; `{again}` stands for that name without its suffix.
        is_warm: its time is that of the last JSON record it prints, not that of the process.
        missing: why it cannot be run here; empty: it can.
    """

    name: str
    family: str
    version: str
    command: tuple[str, ...]
    result: str
    is_warm: bool = False
    missing: str = ""


def our_encoders(worker: Sequence[str]) -> Iterator[Encoder]:
    """Ours at each quality in a fresh process, then each as the second scene of one process."""
    version = tomllib.loads((ROOT / "worker" / "pyproject.toml").read_text())["project"]["version"]
    for quality in QUALITIES:
        options = ("--quality", quality)
        command = (*worker, "compress", "{scene}", "{out}/scene.sog", *options)
        yield Encoder(f"ours {quality}", "ours", version, command, "scene.sog")
    for quality in QUALITIES:
        command = (*worker, "compress", "{scene}", "{again}", "{out}/", "--quality", quality, "--json")
        yield Encoder(f"ours {quality}, warm", "ours, warm", version, command, "{again}.sog", is_warm=True)


def splat_transform(tool: Sequence[str], *, gpu: str) -> Encoder:
    """PlayCanvas' converter, on the GPU it finds, or on the CPU where it finds none.

    Args:
        tool: its command.
        gpu: `auto`, or what its own option `-g` takes: a number or `cpu`.
    """
    version = ask(tool, "--version")
    if gpu == "auto":
        gpu = "" if re.search(r"^\[\d+\]", ask(tool, "--list-gpus"), re.MULTILINE) else "cpu"
    options = ("-g", gpu) if gpu else ()
    return Encoder(
        "splat-transform" + (" on the CPU" if gpu == "cpu" else ""),
        "splat-transform",
        " ".join(version.split()[1:2]).removeprefix("v"),
        (*tool, "-w", *options, "{scene}", "{out}/scene.sog"),
        "scene.sog",
        missing="" if version else f"{' '.join(tool)} does not answer; install it or name it with --splat-transform",
    )


def original_sogs(tool: Sequence[str], *, has_gpu: bool) -> Encoder:
    """PlayCanvas' archived Python encoder, which needs CUDA."""
    missing = "" if has_gpu else "needs CUDA, and there is no NVIDIA GPU"
    if not tool:
        missing = "not installed; name its command with --sogs"
    version = "" if missing else ask(tool, "--version")
    command = (*tool, "--ply", "{scene}", "--output-dir", "{out}/bundle")
    return Encoder("sogs", "sogs", version, command, "bundle/meta.json", missing=missing)


def ask(tool: Sequence[str], option: str) -> str:
    """Return what a program answers on either stream; nothing if it fails or does not answer."""
    usage = run_measured([*tool, option], limit_s=PROBE_LIMIT_S)
    return "" if usage.failure else (usage.output + usage.errors).strip()


def fill(encoder: Encoder, *, scene: Path, again: Path, out: Path) -> tuple[list[str], Path]:
    """Return the command for a scene, and the path of its result."""
    (result,) = fill_in([encoder.result], again=again.name.removesuffix(".ply"))
    return fill_in(encoder.command, scene=scene, again=again, out=out), out / result


def bundle_bytes(result: Path) -> int:
    """Return the size of a bundle; of an unbundled one, of all files in the folder of its meta.json."""
    files = result.parent.iterdir() if result.name == "meta.json" else [result]
    return sum(file.stat().st_size for file in files)

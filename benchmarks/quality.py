"""How much a bundle differs from its scene: decoded by a reader that is not its encoder's own, drawn, compared."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.process import fill_in, run_measured, telling_line
from benchmarks.scenes import Scene

LIMIT_S = 900
MEAN, WORST, IDENTICAL = ("psnrmean", "psnr"), "psnrworst", "identical"
"""The fields that are read, in lower case and without underscores; for the mean, any of two."""


@dataclass(frozen=True)
class Judge:
    """The programs that decode and compare.

    Attributes:
        decoders: by name, the preferred one first; each takes a bundle and the PLY to write.
        evaluator: a command with `{scene}` and `{decoded}` that prints a JSON object with the mean and the worst view's
            PSNR in dB; `--cameras FILE` is added where the scene has cameras.
    """

    decoders: Mapping[str, Sequence[str]]
    evaluator: Sequence[str]


@dataclass(frozen=True)
class Verdict:
    """PSNR in dB over all views and of the worst one, and who decoded; `note` says why there are none."""

    psnr_mean: float | None = None
    psnr_worst: float | None = None
    decoder: str = ""
    note: str = ""


def judge_bundle(judge: Judge, scene: Scene, bundle: Path, decoded: Path) -> Verdict:
    """Decode a bundle to the path `decoded`, which is removed again, and compare it with its scene."""
    try:
        decoder, notes = _decode(judge.decoders, bundle, decoded)
        if not decoder:
            return Verdict(note=f"not decoded: {notes}")
        return evaluate(judge.evaluator, scene, decoded, decoder)
    finally:
        decoded.unlink(missing_ok=True)


def _decode(decoders: Mapping[str, Sequence[str]], bundle: Path, decoded: Path) -> tuple[str, str]:
    """Return the name of the first decoder that can, or why none could."""
    failures = []
    for name, command in decoders.items():
        decoded.unlink(missing_ok=True)
        usage = run_measured([*command, bundle, decoded], limit_s=LIMIT_S)
        if not usage.failure and decoded.exists():
            return name, ""
        failures.append(f"{name}: {usage.failure or 'wrote nothing'}")
    return "", "; ".join(failures)


def evaluate(evaluator: Sequence[str], scene: Scene, decoded: Path, decoder: str = "") -> Verdict:
    """Compare a PLY with the scene that it is of; `decoder` is what has made it."""
    command = fill_in(evaluator, scene=scene.path, decoded=decoded)
    if scene.cameras:
        command += ["--cameras", str(scene.cameras)]
    usage = run_measured(command, limit_s=LIMIT_S)
    if usage.failure:
        return Verdict(decoder=decoder, note=f"not evaluated: {usage.failure}")
    psnr = parse_psnr(usage.output)
    if psnr is None:
        said = telling_line(usage.output or usage.errors)
        return Verdict(decoder=decoder, note=f"not evaluated: no PSNR in the evaluator's answer: {said}")
    if math.inf in psnr:
        return Verdict(decoder=decoder, note="every picture is that of the scene: infinite dB")
    return Verdict(*psnr, decoder)


def parse_psnr(text: str) -> tuple[float, float] | None:
    """Find mean and worst PSNR in an evaluator's output: one JSON object, or JSON lines of which the last counts.

    Both are infinite where the evaluator says that nothing differs, None where it says nothing.
    """
    for candidate in (text, *reversed(text.splitlines())):
        fields = _parse_fields(candidate)
        if fields.get(IDENTICAL) is True:
            return math.inf, math.inf
        means = [fields[name] for name in MEAN if isinstance(fields.get(name), int | float)]
        if means and isinstance(fields.get(WORST), int | float):
            return float(means[0]), float(fields[WORST])
    return None


def _parse_fields(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return {name.replace("_", "").lower(): each for name, each in value.items()} if isinstance(value, dict) else {}

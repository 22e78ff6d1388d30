"""What the worker says (docs/job.md): progress lines of its log and the termination message, read with suspicion."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from splat_operator.api.model import Progress
from splat_operator.api.names import EXIT_REASONS

KNOWN_REASONS = tuple(EXIT_REASONS.values())
MAX_WORDS = 1024
MAX_OUTPUTS = 50
"""That the status shows; the manifest has all."""
MAX_REASONS, MAX_REASON = 16, 64
"""For which splats were removed: how many, and how long each is."""


@dataclass(frozen=True)
class Result:
    """A run that succeeded.

    Attributes:
        status: fields of the resource's status, with the types that its schema wants.
        scenes: how many outputs there are, of which the status may have the first only.
    """

    status: Mapping[str, Any]
    scenes: int

    @property
    def is_cached(self) -> bool:
        """Whether every output was there before."""
        return self.scenes > 0 and bool(self.scenes == self.status["cacheHits"])

    @property
    def place(self) -> str:
        """The one output, or where to find all of them."""
        outputs = self.status["outputs"]
        if self.scenes == 1 and outputs:
            return str(outputs[0]["uri"])
        return str(self.status.get("manifestUri", f"{self.scenes} outputs"))


@dataclass(frozen=True)
class Failure:
    """A run that failed, in the worker's own words."""

    reason: str
    message: str


def parse_progress(log: str) -> Progress | None:
    """The last progress line of a piece of the log, or None. Lines that are something else are passed over."""
    for line in reversed(log.splitlines()):
        entry = _object(line)
        if "stage" in entry and "percent" in entry:
            try:
                return _progress(entry)
            except (TypeError, ValueError, OverflowError):
                continue
    return None


def parse_result(message: str) -> Result | None:
    """The result in a termination message, or None where there is none that can be read."""
    entry = _object(message)
    try:
        if entry.get("version") != 1 or "outputs" not in entry:
            return None
        return Result(_result(entry), _whole(entry.get("scenes", len(entry["outputs"]))))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None


def parse_deletion(message: str) -> tuple[int, int] | None:
    """How many objects were deleted and how many outputs kept, or None where the message does not tell."""
    entry = _object(message)
    try:
        return (_whole(entry["deleted"]), _whole(entry["kept"])) if entry.get("version") == 1 else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def merge_results(results: Sequence[Result]) -> Result:
    """The result of a run from those of all its pods, at least one."""
    if len(results) == 1:
        return results[0]
    parts = [result.status for result in results]
    outputs = sorted((output for part in parts for output in part["outputs"]), key=lambda output: str(output["name"]))
    worked = [result.status for result in results if result.scenes] or parts[:1]
    devices = sorted({str(part["device"]) for part in worked if part.get("device")})
    status: dict[str, Any] = {
        **parts[0],
        "outputs": outputs[:MAX_OUTPUTS],
        **{name: sum(part[name] for part in parts) for name in ("inputBytes", "outputBytes", "splats", "cacheHits")},
        "device": ", ".join(devices),
        **_removed(sum((Counter(part.get("removed", {})) for part in parts), Counter[str]())),
    }
    return Result(_with_ratio(status), sum(result.scenes for result in results))


def merge_progress(readings: Sequence[Progress], finished: Sequence[Result], *, shares: int) -> Progress | None:
    """How far a run is from its running pods' progress and its finished pods' results, of `shares` pods in all."""
    if not readings or shares == 1:
        return readings[0] if readings else None
    last = min(readings, key=lambda reading: reading.percent)
    known = [reading.eta_s for reading in readings if reading.eta_s is not None]
    waiting = shares - len(readings) - len(finished)
    scenes = sum(result.scenes for result in finished)
    return Progress(
        percent=(100 * len(finished) + sum(reading.percent for reading in readings)) // shares,
        stage=last.stage,
        # Nobody knows how long those will take that have not begun.
        eta_s=max(known) if len(known) == len(readings) and waiting == 0 else None,
        scenes_done=scenes + sum(reading.scenes_done for reading in readings),
        scenes_total=scenes + sum(reading.scenes_total for reading in readings),
    )


def parse_failure(message: str) -> Failure | None:
    """The worker's reason and sentence in a termination message, or None where there is none."""
    error = _object(message).get("error")
    if not isinstance(error, dict) or error.get("reason") not in KNOWN_REASONS or not error.get("message"):
        return None
    return Failure(reason=error["reason"], message=str(error["message"])[:MAX_WORDS])


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _progress(entry: Mapping[str, Any]) -> Progress:
    eta = entry.get("etaSeconds")
    return Progress(
        percent=min(100, _whole(entry["percent"])),
        stage=str(entry["stage"])[:64],
        eta_s=None if eta is None else _whole(eta),
        scenes_done=_whole(entry.get("scenesDone", 0)),
        scenes_total=_whole(entry.get("scenesTotal", 1)),
    )


def _result(entry: Mapping[str, Any]) -> dict[str, Any]:
    input_bytes, output_bytes = _whole(entry["inputBytes"]), _whole(entry["outputBytes"])
    status: dict[str, Any] = {
        "outputs": [_output(output) for output in entry["outputs"][:MAX_OUTPUTS]],
        "inputBytes": input_bytes,
        "outputBytes": output_bytes,
        "splats": _whole(entry["splats"]),
        "cacheHits": _whole(entry.get("cacheHits", 0)),
        **_removed(entry.get("removed") or {}),
        **{name: str(entry[name]) for name in ("manifestUri", "engine", "device") if entry.get(name)},
    }
    return _with_ratio(status)


def _removed(counts: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """The field of the status that says how many splats were removed, by reason; none where none were."""
    reasons = {str(reason)[:MAX_REASON]: _whole(count) for reason, count in [*counts.items()][:MAX_REASONS]}
    return {"removed": reasons} if reasons else {}


def _with_ratio(status: Mapping[str, Any]) -> dict[str, Any]:
    input_bytes, output_bytes = status["inputBytes"], status["outputBytes"]
    return {**status, **({"compressionRatio": round(input_bytes / output_bytes, 2)} if output_bytes > 0 else {})}


def _output(output: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "name": str(output["name"]),
        "uri": str(output["uri"]),
        "sha256": str(output["sha256"]),
        "bytes": _whole(output["bytes"]),
        "sourceBytes": _whole(output["sourceBytes"]),
        "splats": _whole(output["splats"]),
        "ratio": _number(output["ratio"], digits=2),
    }
    if output.get("psnr") is not None:
        result["psnr"] = _number(output["psnr"], digits=2)
    if output.get("previewUri"):
        result["previewUri"] = str(output["previewUri"])
    return result


def _whole(value: Any) -> int:
    """A count, at least 0. Raises ValueError for what the API's 64-bit integers cannot hold."""
    count = int(value)
    if count >= 2**63:
        raise ValueError(f"{count} is too large")
    return max(0, count)


def _number(value: Any, *, digits: int) -> float:
    """A rounded number. Raises ValueError for NaN and infinities, which JSON does not have."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return round(number, digits)

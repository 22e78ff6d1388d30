"""What a user can choose about an encoding, parsed from the command line or the run document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sogs_worker.engines.target import Target, parse_target
from sogs_worker.errors import UsageError

ENCODER_VERSIONS = {"native": "native-11", "sogs": "sogs-1.1.0-2"}
"""Names each engine's output: it changes whenever the same input and parameters may give other bytes."""

ENGINES = tuple(ENCODER_VERSIONS)
FORMATS = ("sog", "sog-unbundled", "sogs-v1")
REFINED_QUALITIES = ("compact", "smallest")
"""Those that fit splats to pictures, on a GPU."""
PLAIN_QUALITIES = ("fast", "balanced", "best")
QUALITIES = (*PLAIN_QUALITIES, *REFINED_QUALITIES)
MAX_SEED = 2**32 - 1
FIELDS = ("engine", "format", "quality", "shBands", "seed", "target")


@dataclass(frozen=True)
class Parameters:
    """Everything that decides an output's bytes, besides the input and the machine.

    Where splats are fitted, a scene's cameras are input too.

    Attributes:
        engine: the encoder.
        format: `sog` is a bundle of SOG version 2, `sog-unbundled` its files, `sogs-v1` the files of version 1.
        quality: how many bytes and how much time to spend.
        sh_bands: the most SH bands to keep, 0 to 3.
        seed: of all random draws, 0 to 2^32 - 1.
        target: what the output is to be; None leaves that to the quality.
    """

    engine: str = "native"
    format: str = "sog"
    quality: str = "balanced"
    sh_bands: int = 3
    seed: int = 0
    target: Target | None = None

    @property
    def encoder_version(self) -> str:
        """The version of the engine's output."""
        return ENCODER_VERSIONS[self.engine]

    @property
    def is_fitted(self) -> bool:
        """Whether splats are fitted to pictures."""
        return self.quality in REFINED_QUALITIES

    def to_document(self) -> dict[str, Any]:
        """Return the run document's form. Without a target it has none, so that earlier outputs are still found."""
        return {
            "engine": self.engine,
            "format": self.format,
            "quality": self.quality,
            "shBands": self.sh_bands,
            "seed": self.seed,
            **({"target": self.target.to_document()} if self.target else {}),
        }

    def to_json(self) -> str:
        """Return the canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"))


def parse_parameters(document: Mapping[str, object]) -> Parameters:
    """Parse the run document's `encoder`: engine, format, quality, shBands, seed, target, each optional.

    Raises:
        UsageError: names the field, what it may be and what it is.
    """
    unknown = sorted(set(document) - set(FIELDS))
    if unknown:
        raise UsageError(f"encoder has no field {unknown[0]}; expected one of {', '.join(FIELDS)}")
    default = Parameters()
    parameters = Parameters(
        engine=_parse_choice(document, "engine", ENGINES, default.engine),
        format=_parse_choice(document, "format", FORMATS, default.format),
        quality=_parse_choice(document, "quality", QUALITIES, default.quality),
        sh_bands=_parse_integer(document, "shBands", 3, default.sh_bands),
        seed=_parse_integer(document, "seed", MAX_SEED, default.seed),
        target=parse_target(document["target"]) if "target" in document else None,
    )
    _check_engine(parameters)
    return parameters


def _check_engine(parameters: Parameters) -> None:
    """Refuse what the engine does not have."""
    if parameters.engine == "native" and parameters.format == "sogs-v1":
        raise UsageError("encoder.format sogs-v1 is of the engine sogs alone; use sog-unbundled, or the engine sogs")
    if parameters.engine == "sogs" and parameters.quality != Parameters().quality:
        raise UsageError(
            f"encoder.quality {parameters.quality} is of the engine native, and the engine sogs has only one;"
            " leave it out, or use the engine native"
        )
    if parameters.engine == "sogs" and parameters.target:
        (bound,) = parameters.target.to_document()
        raise UsageError(
            f"encoder.target.{bound} is of the engine native alone; leave it out, or use the engine native"
        )


def _parse_choice(document: Mapping[str, object], field: str, choices: tuple[str, ...], default: str) -> str:
    value = document.get(field, default)
    if not isinstance(value, str) or value not in choices:
        raise UsageError(f"encoder.{field} must be {' or '.join(choices)}, got {value!r}")
    return value


def _parse_integer(document: Mapping[str, object], field: str, greatest: int, default: int) -> int:
    value = document.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= greatest:
        raise UsageError(f"encoder.{field} must be an integer from 0 to {greatest}, got {value!r}")
    return value

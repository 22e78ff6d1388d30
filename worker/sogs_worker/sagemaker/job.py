"""What SageMaker Processing tells its container about the job, and how the container answers.

The files are those of the service's documentation, "How to Build Your Own Processing Container"; none of them is there
when the command is used elsewhere.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sogs_worker.errors import ConfigurationError

ML = Path("/opt/ml")
MESSAGE_BYTES = 1024
"""What the service keeps of the message."""


def check_job(config: dict[str, Any], resources: dict[str, Any], output: Path) -> None:
    """Refuse a job whose results would be lost, before hours of work instead of after them.

    Args:
        config: processingjobconfig.json; empty outside of the service.
        resources: resourceconfig.json; likewise.
        output: the folder of the results.

    Raises:
        ConfigurationError: nothing of `output` would be uploaded, or another instance would write the same keys.
    """
    hosts = resources.get("hosts")
    if isinstance(hosts, list) and len(hosts) > 1:
        raise ConfigurationError(
            f"the job has {len(hosts)} instances, which would overwrite each other's outputs;"
            " set InstanceCount to 1 and start a job for each part of the inputs"
        )
    uploaded = _uploaded_paths(config)
    if uploaded is not None and not any(output.is_relative_to(path) for path in uploaded):
        raise ConfigurationError(
            f"no ProcessingOutput of the job has the LocalPath {output}, so nothing would be kept; add one"
        )


def read_config(name: str) -> dict[str, Any]:
    """Read a file of the service; empty if it is not there or not as documented, which is no reason to fail."""
    try:
        document = json.loads((ML / "config" / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def write_message(text: str) -> None:
    """Leave the reason of a failure where the service looks for it; it becomes the job's ExitMessage.

    Outside of the service there is no such folder, and nobody to read it.
    """
    data = text.encode("utf-8", "backslashreplace")[:MESSAGE_BYTES].decode("utf-8", "ignore")
    try:
        if ML.is_dir():
            (ML / "output").mkdir(exist_ok=True)
            (ML / "output" / "message").write_text(data, encoding="utf-8")
    except OSError as error:
        print(f"sogs-worker: {error.filename}: cannot be written: {error.strerror}", file=sys.stderr)


def _uploaded_paths(config: dict[str, Any]) -> list[str] | None:
    """Return the folders that the service uploads; None if the file does not say it as documented."""
    try:
        outputs = config["ProcessingOutputConfig"]["Outputs"]
        return [str(output["S3Output"]["LocalPath"]) for output in outputs if output.get("S3Output")]
    except (AttributeError, KeyError, TypeError):
        return None

"""The container of a SageMaker Processing job (docs/sagemaker.md): each scene goes to a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sogs_worker.cli.output import INTERRUPTED, print_fault, print_outcome
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import SourceMissingError, WorkerError
from sogs_worker.files import make_folder
from sogs_worker.naming import BUNDLED, name_outputs, name_target
from sogs_worker.sagemaker.job import check_job, read_config, write_message
from sogs_worker.sagemaker.summary import FILE_NAME, Item, Made, build_summary
from sogs_worker.source.local import LocalScene, find_scenes

# What loads torch is imported once there is something to do.
if TYPE_CHECKING:
    from sogs_worker.cli.batch import Outcome


def run_processing(inputs: Path, output: Path, *, parameters: Parameters, load_encoder: Callable[[], str]) -> int:
    """Compress all scenes below a folder; return the exit code of the first fault, after the others are done.

    Args:
        inputs: the folder, with the job's channels as folders in it.
        output: takes `sogs_output_{i}` for the i-th scene and, last, the summary.
        parameters: what decides the outputs.
        load_encoder: returns the device, `cpu` or `cuda`; called once there is something to do.

    Raises:
        WorkerError: nothing was done. Its sentence is the job's message, as that of any scene's fault.
    """
    try:
        faults = _process(inputs, output, parameters=parameters, load_encoder=load_encoder)
    except WorkerError as error:
        write_message(str(error))
        raise
    except KeyboardInterrupt:
        write_message(INTERRUPTED)
        raise
    if not faults:
        return 0
    write_message(str(faults[0]) if len(faults) == 1 else f"{faults[0]} (the first of {len(faults)} faults)")
    return faults[0].exit_code


def _process(
    inputs: Path, output: Path, *, parameters: Parameters, load_encoder: Callable[[], str]
) -> Sequence[WorkerError]:
    """Do the job; return the faults of scenes and archives."""
    config = read_config("processingjobconfig.json")
    check_job(config, read_config("resourceconfig.json"), output)
    if not inputs.is_dir():
        raise SourceMissingError(f"{inputs}: no such folder; give the job a ProcessingInput with a LocalPath in it")
    scenes, faults = find_scenes([inputs], output)
    for fault in faults:
        print_fault(fault)
    if not scenes:
        return faults
    device = load_encoder()
    make_folder(output)
    (output / FILE_NAME).unlink(missing_ok=True)  # it would speak of an earlier run's outputs
    items = []
    for outcome in _compress(scenes, output, parameters=parameters, device=device):
        items.append(_build_item(outcome, inputs, output))
        if isinstance(outcome.result, WorkerError):
            faults.append(outcome.result)
    job_name = config.get("ProcessingJobName")
    summary = build_summary(items, faults, parameters=parameters, device=device, job_name=job_name)
    _write_summary(output / FILE_NAME, summary)
    return faults


def _compress(scenes: Sequence[LocalScene], output: Path, *, parameters: Parameters, device: str) -> Iterator[Outcome]:
    """Compress the i-th scene to `sogs_output_{i}`, and log how it goes."""
    from sogs_worker.cli.batch import compress_scenes
    from sogs_worker.reporting.display import showing_progress

    names = name_outputs([scene.origin for scene in scenes])
    folders = [output / f"sogs_output_{index}" for index in range(len(scenes))]
    is_bundled = parameters.format == BUNDLED  # otherwise the scene has the folder for its files
    stems = [folder / name.name if is_bundled else folder for folder, name in zip(folders, names, strict=True)]
    targets = [name_target(stem, parameters.format) for stem in stems]
    pairs = list(zip(scenes, targets, strict=True))
    with showing_progress(as_json=True) as progress:
        for outcome in compress_scenes(pairs, parameters=parameters, device=device, progress=progress):
            print_outcome(outcome, device, as_json=True)
            yield outcome


def _build_item(outcome: Outcome, inputs: Path, output: Path) -> Item:
    input_file = str(Path(outcome.scene.name).relative_to(inputs))
    if isinstance(outcome.result, WorkerError):
        return Item(input_file, None)
    made = Made(
        output_files=tuple(str(file.relative_to(output)) for file in (outcome.target, *outcome.result.planes)),
        source_bytes=outcome.result.source_bytes,
        bytes=outcome.result.bytes,
        splats=outcome.result.splats,
        seconds=outcome.seconds,
    )
    return Item(input_file, made)


def _write_summary(path: Path, summary: dict[str, Any]) -> None:
    from sogs_worker.files import replacing

    with replacing(path) as file:
        file.write(json.dumps(summary, indent=2).encode())

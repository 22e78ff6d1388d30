"""The container of a SageMaker Processing job (docs/sagemaker.md): each scene goes to a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import SourceMissingError, WorkerError
from sogs_worker.files import make_folder
from sogs_worker.naming import BUNDLED, name_target
from sogs_worker.reporting.display import showing_progress
from sogs_worker.reporting.faults import as_worker_error
from sogs_worker.reporting.options import in_options
from sogs_worker.reporting.results import INTERRUPTED, print_fault, print_record, say_notes
from sogs_worker.sagemaker.job import check_job, read_config, write_message
from sogs_worker.sagemaker.summary import FILE_NAME, Compressed, Processed, build_summary
from sogs_worker.scenes.accelerator import Accelerator
from sogs_worker.scenes.delivery import Delivery
from sogs_worker.scenes.destination import Made
from sogs_worker.scenes.make import Recipe
from sogs_worker.scenes.outcome import Outcome
from sogs_worker.scenes.pipeline import Pipeline
from sogs_worker.source.roots import find_items, local_root
from sogs_worker.source.search import NoSceneError, PassedOver, say_passed_over
from sogs_worker.source.selection import ALL
from sogs_worker.storage.local.files import LocalFiles


def run_processing(
    inputs: Path, output: Path, *, parameters: Parameters, load_encoder: Callable[[], str], is_quiet: bool = False
) -> int:
    """Compress all scenes below a folder; return the exit code of the first fault, after the others are done.

    Args:
        inputs: the folder, with the job's channels as folders in it.
        output: takes `sogs_output_{i}` for the i-th scene and, last, the summary.
        parameters: what decides the outputs.
        load_encoder: returns the device, `cpu` or `cuda`; called once there is something to do.
        is_quiet: show no progress.

    Raises:
        WorkerError: nothing was done. Its sentence is the job's message, as that of any scene's fault.
    """
    try:
        faults = _process(inputs, output, parameters=parameters, load_encoder=load_encoder, is_quiet=is_quiet)
    except WorkerError as error:
        write_message(str(in_options(error)))
        raise
    except KeyboardInterrupt:
        write_message(INTERRUPTED)
        raise
    if not faults:
        return 0
    write_message(str(faults[0]) if len(faults) == 1 else f"{faults[0]} (the first of {len(faults)} faults)")
    return faults[0].exit_code


def _process(
    inputs: Path, output: Path, *, parameters: Parameters, load_encoder: Callable[[], str], is_quiet: bool
) -> Sequence[WorkerError]:
    """Do the job; return the faults of scenes and archives."""
    config = read_config("processingjobconfig.json")
    check_job(config, read_config("resourceconfig.json"), output)
    if not inputs.is_dir():
        raise SourceMissingError(f"{inputs}: no such folder; give the job a ProcessingInput with a LocalPath in it")
    with TemporaryDirectory(prefix="sogs-worker-") as scratch:
        findings = find_items([local_root(inputs, without=output)])
        objects, faults = findings.items, [in_options(fault) for fault in findings.faults]
        say_passed_over(findings.passed_over)
        for fault in faults:
            print_fault(fault)
        if not objects:
            return faults
        make_folder(output)
        (output / FILE_NAME).unlink(missing_ok=True)  # it would speak of an earlier run's outputs
        items: list[Processed] = []
        accelerator = Accelerator("auto", load_encoder)
        destination, recipe = Folders(output, parameters.format, Path(scratch)), Recipe(parameters)
        with showing_progress(as_json=True, is_quiet=is_quiet) as progress:
            pipeline = Pipeline(recipe, destination, scratch=Path(scratch), accelerator=accelerator, progress=progress)
            for outcome in pipeline.run(objects):
                if isinstance(outcome.result, Made):
                    say_notes(outcome.uri, outcome.notes)
                    print_record(outcome.to_record(outcome.result, accelerator.name), "", "", as_json=True)
                elif isinstance(outcome.result, PassedOver):
                    say_passed_over([outcome.result])
                else:
                    faults.append(in_options(as_worker_error(outcome.result, scratch)))
                    print_fault(faults[-1])
                if outcome.is_scene:
                    items.append(_build_item(outcome, inputs, output))
            if not (items or faults):
                raise NoSceneError.of_archives(str(inputs), ALL)
            if not any(item.made for item in items):
                progress.give_up()
    job_name = config.get("ProcessingJobName")
    device = accelerator.name
    summary = build_summary(items, faults, parameters=parameters, device=device, job_name=job_name)
    _write_summary(output / FILE_NAME, summary)
    return faults


class Folders(Delivery):
    """A folder `sogs_output_{i}` for the i-th scene, whatever becomes of it."""

    def __init__(self, output: Path, output_format: str, scratch: Path) -> None:
        super().__init__(LocalFiles(output), self._number, scratch=scratch)
        self._format = output_format
        self._folders: dict[PurePosixPath, PurePosixPath] = {}

    def claim(self, _names: Sequence[PurePosixPath]) -> None:
        """No two can meet."""

    def _number(self, name: PurePosixPath) -> str:
        folder = self._folders.setdefault(name, PurePosixPath(f"sogs_output_{len(self._folders)}"))
        # What is not bundled has the folder for its files.
        return str(name_target(folder / name.name if self._format == BUNDLED else folder, self._format))


def _build_item(outcome: Outcome, inputs: Path, output: Path) -> Processed:
    input_file = str(Path(outcome.uri).relative_to(inputs))
    if not isinstance(outcome.result, Made):
        return Processed(input_file, None)
    target, made = Path(outcome.result.output.uri).relative_to(output), outcome.result.output
    files = (target, *(target.with_name(file.name) for file in made.files[:-1]))
    return Processed(
        input_file, Compressed(tuple(map(str, files)), made.source_bytes, made.bytes, made.splats, outcome.seconds)
    )


def _write_summary(path: Path, summary: dict[str, Any]) -> None:
    from sogs_worker.files import replacing

    with replacing(path) as file:
        file.write(json.dumps(summary, indent=2).encode())

"""One run from source to manifest. Lives in a process of its own, which `run` may end at any moment."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from sogs_worker.engines.device import resolve_device
from sogs_worker.errors import BadInputError, NoGPUError, StorageError, WorkerError
from sogs_worker.fetch import DOWNLOAD_SHARE, fetch
from sogs_worker.joblog import ProgressLog, counting, write_message
from sogs_worker.manifest import Output, Result
from sogs_worker.publication import Publication
from sogs_worker.settings import Settings, read_settings
from sogs_worker.storage.base import Store
from sogs_worker.storage.s3 import S3Store
from sogs_worker.task import Place, Task, load_task
from sogs_worker.termination import report_failure, report_success

# What loads torch is imported where it is needed: that takes seconds, and a missing source is told before them.
if TYPE_CHECKING:
    from sogs_worker.compress import SceneReport
    from sogs_worker.splats import Splats

BUNDLE_TYPE = "application/zip"
PICTURE_TYPE = "image/png"
MANIFEST_TYPE = "application/json"

UPLOAD_FROM = 0.6
"""Part of the stage `write` that compressing the planes takes; the upload takes the rest."""


def main() -> int:
    """Do the run that the environment describes; return its exit code after leaving the termination message."""
    settings = read_settings(os.environ)
    try:
        result = run_task(load_task(settings.run_document, os.environ), settings, ProgressLog())
    except WorkerError as error:
        return report_failure(error, settings.termination_log)
    except OSError as error:
        return report_failure(scratch_error(error, settings.scratch), settings.termination_log)
    except Exception as error:
        traceback.print_exc()
        return report_failure(unexpected_error(error), settings.termination_log)
    report_success(result, settings.termination_log)
    return 0


def scratch_error(error: OSError, scratch: Path) -> StorageError:
    """Say what is wrong with this machine's files; the network's failures are translated where they happen."""
    return StorageError(
        f"{error.filename or scratch}: {error.strerror or error}; if space is short, raise the ephemeral-storage"
        " of spec.resources"
    )


def unexpected_error(error: Exception) -> WorkerError:
    """Say that something failed that nobody thought of."""
    if isinstance(error, MemoryError):
        return WorkerError("the worker ran out of memory; raise the memory of spec.resources.limits")
    return WorkerError(
        f"the worker failed unexpectedly ({type(error).__name__}: {error}); report it with the pod's log"
    )


def run_task(task: Task, settings: Settings, log: ProgressLog) -> Result:
    """Compress the source and publish the result, its manifest last.

    Raises:
        WorkerError: names the object and the remedy. What was uploaded by then is in the journal.
    """
    started_s = time.monotonic()
    log.report("read", 0.0)
    device = choose_device(settings)
    scratch, key = settings.scratch, task.source.location.key
    store = open_store(task.destination, scratch)
    store.check_upload(task.output_key)  # before the hours of work, not after them
    source = fetch(open_store(task.source, scratch), key, sha256=task.source_sha256, scratch=scratch, log=log)
    bundle = scratch / "output.sog"
    report = compress(task, source, bundle, device=device, log=log)
    source.unlink()  # makes room for what is read back
    publication = Publication(store, settings.journal)
    output = publish(task, publication, bundle, report, device=device, log=log)
    seconds = time.monotonic() - started_s
    result = Result(
        outputs=(output,),
        manifest_uri=store.uri(task.manifest_key),
        seconds=seconds,
        gpu_seconds=seconds if device == "cuda" else 0.0,
        device=device,
        encoder=task.encoder,
    )
    publish_manifest(publication, task.manifest_key, result, scratch)
    log.report("done", 1.0)
    return result


def choose_device(settings: Settings) -> str:
    """Take the device that the Job asks for; the CPU instead only where it may and the container sees no GPU at all."""
    try:
        return resolve_device(settings.device)
    except NoGPUError as error:
        visible = any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()
        if visible or not settings.cpu_fallback:
            found = "the one in the container cannot be used" if visible else "the container sees none"
            raise NoGPUError(
                f"the Job asked for a GPU but {found}; check the node's driver and device plugin,"
                " or set spec.gpu.count to 0"
            ) from error
        write_message("the container sees no GPU; going on with the CPU")
        return "cpu"


def open_store(place: Place, scratch: Path) -> Store:
    """Open the bucket of a side."""
    return S3Store(place.location.bucket, place.connection, scratch=scratch)


def compress(task: Task, source: Path, bundle: Path, *, device: str, log: ProgressLog) -> SceneReport:
    """Encode the downloaded scene; what is wrong with it is said of the object, not of the copy."""
    from sogs_worker.compress import compress_file

    spans = {"read": (DOWNLOAD_SHARE, 1.0), "encode": (0.0, 1.0), "write": (0.0, UPLOAD_FROM)}
    uri = task.source.location.uri
    try:
        report = compress_file(
            source,
            bundle,
            parameters=task.encoder,
            device=device,
            progress=lambda stage, fraction: log.part(stage, *spans[stage])(fraction),
        )
    except BadInputError as error:
        raise BadInputError(str(error).replace(str(source), uri)) from error
    if report.dropped:
        write_message(f"{report.dropped} unusable or invisible splats of {uri} were left out")
    return report


def publish(
    task: Task, publication: Publication, bundle: Path, report: SceneReport, *, device: str, log: ProgressLog
) -> Output:
    """Publish the bundle, prove that it arrived, and add the picture if one is wanted."""
    publication.retract_manifest(task.manifest_key)
    sent = counting(report.bytes, log.part("write", UPLOAD_FROM, 1.0))
    sha256 = publication.upload(bundle, task.output_key, content_type=BUNDLE_TYPE, progress=sent)
    copy = bundle.with_name("published.sog")
    splats = verify(task, publication, copy, sha256=sha256, report=report, log=log)
    return Output(
        name=task.scene_name,
        uri=publication.uri(task.output_key),
        sha256=sha256,
        bytes=report.bytes,
        source_bytes=report.source_bytes,
        splats=report.splats,
        preview_uri=publish_preview(task, publication, splats, bundle.with_name("preview.png"), device),
    )


def verify(
    task: Task, publication: Publication, copy: Path, *, sha256: str, report: SceneReport, log: ProgressLog
) -> Splats:
    """Read the published bundle back: the same bytes, and they decode to as many splats."""
    from sogs_worker.formats import read_scene

    log.report("verify", 0.0)
    received = counting(report.bytes, log.part("verify", 0.0, 0.5))
    publication.read_back(task.output_key, copy, sha256=sha256, progress=received)
    splats = read_scene(copy)
    if len(splats) != report.splats:
        uri = publication.uri(task.output_key)
        raise StorageError(f"{uri} decodes to {len(splats)} splats instead of {report.splats}; run it again")
    return splats


def publish_preview(task: Task, publication: Publication, splats: Splats, path: Path, device: str) -> str | None:
    """Draw what was published, not what was read."""
    if not task.preview:
        return None
    from sogs_worker.render import preview_png

    path.write_bytes(preview_png(splats, device=device))
    publication.upload(path, task.preview_key, content_type=PICTURE_TYPE)
    return publication.uri(task.preview_key)


def publish_manifest(publication: Publication, key: str, result: Result, scratch: Path) -> None:
    """Say that all outputs are complete."""
    path = scratch / "manifest.json"
    path.write_text(json.dumps(result.to_manifest(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    publication.upload(path, key, content_type=MANIFEST_TYPE)


if __name__ == "__main__":
    sys.exit(main())

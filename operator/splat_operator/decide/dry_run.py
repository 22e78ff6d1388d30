"""What to do about a resource that only asks what would be done: the API server judges the Job, and it is described."""

from __future__ import annotations

from datetime import datetime

from splat_operator.api.model import Action, CheckJob, Observed
from splat_operator.api.names import SUCCEEDED
from splat_operator.api.settings import Settings
from splat_operator.api.spec import Json, Spec
from splat_operator.decide.conditions import find
from splat_operator.decide.events import DRY_RUN
from splat_operator.decide.status import Verdict, write
from splat_operator.manifests.job import delete_jobs
from splat_operator.manifests.pod import worker_image


def explain(observed: Observed, manifest: Json, now: datetime, settings: Settings) -> list[Action]:
    """Stop what runs, have the Job checked once for each edit, and say what it would be."""
    resource = observed.resource
    stopping = delete_jobs(observed.jobs)
    is_told = resource.status.get("observedGeneration") == resource.generation
    if is_told and find(resource.status, "Ready").get("reason") == DRY_RUN:
        return stopping
    verdict = Verdict(SUCCEEDED, DRY_RUN, _describe(settings.defaults.complete(resource.spec), manifest, settings))
    return [*stopping, CheckJob(manifest), *write(observed, verdict, now=now)]


def _describe(spec: Spec, manifest: Json, settings: Settings) -> str:
    output, scheduling = spec.output, spec.scheduling
    gpus = f"{scheduling.gpu_count} {scheduling.gpu_resource}" if scheduling.gpu_count else "the CPU"
    pods = "1 pod" if scheduling.parallelism == 1 else f"{scheduling.parallelism} pods"
    queue = f" through queue {scheduling.queue}" if scheduling.queue else ""
    return (
        f"Would run Job {manifest['metadata']['name']}{queue}: {pods} of {worker_image(spec, settings)} on {gpus}"
        f"{' each' if scheduling.parallelism > 1 else ''}, engine {output.encoder.engine}, from"
        f" {output.source.uri.partition('?')[0]}{_by(output.source.s3.endpoint)} to"
        f" {output.destination.uri}{_by(output.destination.s3.endpoint)}. The API server takes the Job; the source was"
        " not opened, since only pods have its credentials."
    )


def _by(endpoint: str | None) -> str:
    return f" at {endpoint}" if endpoint else ""

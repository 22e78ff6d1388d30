"""Generated looks at a cluster: any mix of Jobs, pods and recorded statuses, likely or not."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from compressions import KEY, RESULT, UID, at, name_of, said, stored
from splat_operator.api.model import (
    Admission,
    Container,
    InitContainer,
    Job,
    Key,
    Observed,
    Pod,
    Progress,
    Resource,
)
from splat_operator.api.names import EXIT_REASONS, FINALIZER, TERMINAL_PHASES
from splat_operator.api.spec import parse_spec
from splat_operator.api.times import format_time
from splat_operator.decide.policies.rerun import retry_on
from splat_operator.manifests.identity import cleanup_name, template_hash
from splat_operator.runtime.metrics import KNOWN_REASONS

Draw = st.DrawFn

PHASES = ("Pending", "Queued", "Running", "Suspended", "Succeeded", "Failed")
REASONS = (
    *("Running", "Created", "Recreated", "Replacing", "Retrying", "Finishing", "Queued", "Suspended", "DryRun"),
    *("Deleting", "OutputsDeleted", "OutputsLeft", "JobRefused", "JobNameTaken", "a new/reason"),
    *sorted(KNOWN_REASONS),
)
MOMENTS = [at(seconds) for seconds in (0, -3, -9, -9, -30, -700, -9000)]
WORDS = ["", "because", "a\x1b[31m red\nword", "x" * 5000, 'exec: "sogs-worker": not found.']
moments = st.sampled_from(MOMENTS)
texts = st.sampled_from(WORDS)
EDITS: Mapping[str, st.SearchStrategy[Any]] = {
    "suspend": st.booleans(),
    "queueName": st.sampled_from(["gpus", "cpus"]),
    "dryRun": st.just(True),
    "deletionPolicy": st.sampled_from(["Delete", "Retain"]),
    "activeDeadlineSeconds": st.just(60),
    "pendingDeadlineSeconds": st.sampled_from([5, 60]),
    "retries": st.sampled_from([0, 1, 3]),
    "ttlSecondsAfterFinished": st.sampled_from([0, 60, 7200]),
    "parallelism": st.sampled_from([1, 3]),
    "nodeSelector": st.just({"pool": "gpu"}),
    "queuePriorityClassName": st.just("high"),
    "preview": st.just(True),
    "source": st.sampled_from([{"uri": "s3://scenes/garden.ply"}, {"uri": "s3://scenes/raw/"}]),
    "podTemplate": st.sampled_from([{"spec": {"hostNetwork": True}}, {"spec": {"containers": {"image": "a"}}}]),
}


@st.composite
def specs(draw: Draw) -> dict[str, Any]:
    base = {"source": {"uri": "s3://scenes/garden.ply"}, "destination": {"uri": "s3://scenes/compressed/"}}
    names = draw(st.sets(st.sampled_from(sorted(EDITS)), max_size=3))
    return {**base, **{name: draw(EDITS[name]) for name in sorted(names)}}


failures = st.builds(
    lambda pod, reason, moment, code: {
        "pod": pod,
        "reason": reason,
        "message": "Broken.",
        "time": format_time(moment),
        **({} if code is None else {"exitCode": code}),
    },
    st.sampled_from([f"garden-{number:02}" for number in range(14)]),
    st.sampled_from(REASONS),
    moments,
    st.sampled_from([None, 69]),
)
SCHEDULED = ("True", "False", "Unknown")


@st.composite
def statuses(draw: Draw, owner: Resource) -> Mapping[str, Any]:
    """A recorded status of any phase, with all that belongs to it, with a part of it, or at odds with itself."""
    phase, reason, message = draw(st.sampled_from(PHASES)), draw(st.sampled_from(REASONS)), draw(texts)
    ready, reconciling, stalled = phase == "Succeeded", phase not in TERMINAL_PHASES, phase == "Failed"
    values = {"Ready": str(ready), "Reconciling": str(reconciling), "Stalled": str(stalled), "Scheduled": "True"}
    changed = draw(st.dictionaries(st.sampled_from([*values, "DestinationShared"]), st.sampled_from(SCHEDULED)))
    moment, generation = format_time(draw(moments)), draw(st.integers(1, 3))
    parts = {"reason": reason, "message": message, "observedGeneration": generation, "lastTransitionTime": moment}
    optional = {
        "jobName": draw(st.sampled_from([name_of(owner), name_of(owner), "garden-0123456789"])),
        "startTime": moment,
        "completionTime": moment,
        "duration": "42s",
        "failures": draw(st.lists(failures, max_size=5, unique_by=lambda entry: str(entry["pod"]))),
        "progress": {"percent": 40, "stage": "encode", "scenesDone": 0, "scenesTotal": 1},
        "retryOn": draw(st.sampled_from([retry_on(reason, owner.spec), "0123456789"])),
        "outputs": RESULT["outputs"],
        "unknown": {"a": [1, None]},
    }
    missing = draw(st.sets(st.sampled_from(sorted(optional)), max_size=3))
    return stored(
        {
            "phase": phase,
            "conditions": [{"type": kind, "status": value, **parts} for kind, value in {**values, **changed}.items()],
            "observedGeneration": generation,
            **{name: value for name, value in optional.items() if name not in missing},
        }
    )


@st.composite
def resources(draw: Draw, *, is_deleted: bool) -> Resource:
    spec, generation = parse_spec(draw(specs())), draw(st.integers(1, 3))
    owner = Resource(key=KEY, uid=UID, generation=generation, resource_version="7", spec=spec)
    owner = replace(
        owner,
        finalizers=draw(st.sampled_from([(FINALIZER,), (), ("example.com/other", FINALIZER)])),
        deleted_at=draw(st.sampled_from([at(-3), at(-700), at(-5000)])) if is_deleted else None,
    )
    return replace(owner, status=draw(st.one_of(st.just({}), statuses(owner))))


def _choices(rng: random.Random, count: int, options: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """So many combinations of the options, the first of which has the first of each."""
    plain = {name: values[0] for name, values in options.items()}
    return [plain] + [{name: rng.choice(values) for name, values in options.items()} for _ in range(count - 1)]


MAYBE = [None, *MOMENTS]
WAITS = ["ContainerCreating", "", "CreateContainerConfigError", "ErrImagePull", "a new/reason", "CrashLoopBackOff"]
MESSAGES = [
    *(json.dumps(result) for result in (RESULT, {**RESULT, "cacheHits": 1}, {**RESULT, "scenes": 2**40})),
    *('{"version": 1, "deleted": 3, "kept": 0}', '{"version": 1, "deleted": 3, "kept": 2}', "{", *WORDS),
    *(said("BadInput", "No PLY."), said("SourceMissing", "It is\tnot there.")),
]
STATES = 2000
"""Of pods, and of Jobs: a few of all that can be."""
numbers = st.integers(0, STATES - 1)
_RANDOM = random.Random(7)  # noqa: S311

CONTAINERS = [
    Container(),
    *(Container(started_at=moment) for moment in MOMENTS),
    *(Container(waiting=(reason, words)) for reason in WAITS for words in WORDS),
    *(
        Container(**parts)
        for parts in _choices(
            _RANDOM,
            200,
            {
                "exit_code": [0, 0, 1, 137, *EXIT_REASONS],
                "exit_reason": ["", "Error", "OOMKilled", "StartError"],
                "started_at": MAYBE,
                "finished_at": MAYBE,
                "termination_message": MESSAGES,
            },
        )
    ),
]
PODS = [
    Pod(name="", job_uid="", **parts)
    for parts in _choices(
        _RANDOM,
        STATES,
        {
            "phase": ["Pending", "Failed", "Failed", "Failed", "Running", "Succeeded"],
            "created_at": MOMENTS,
            "is_deleting": [False, False, False, True],
            "reason": ["", "", "Evicted", "OutOfnvidia.com/gpu"],
            "message": WORDS,
            "scheduled_at": MAYBE,
            "unschedulable": [None, None, ("Unschedulable", "0/1 nodes"), ("SchedulingGated", "")],
            "disruption": [None, None, ("PreemptionByScheduler", "higher\npriority")],
            "index": [None, 0, 1, 2],
            "container": CONTAINERS,
            "init": [None, None, None, *(InitContainer("fetch", container) for container in CONTAINERS)],
        },
    )
]
UNFINISHED = {"is_complete": False, "failure": None, "finished_at": None}
ENDS = [
    *[UNFINISHED] * 5,
    *({"is_complete": True, "failure": None, "finished_at": moment} for moment in (at(-1), None)),
    *(
        {"is_complete": False, "failure": (reason, "a\nb"), "finished_at": at(-1)}
        for reason in ("BackoffLimitExceeded", "PodFailurePolicy", "DeadlineExceeded", "a new/reason", "")
    ),
]
STOPS = [
    *[{"is_suspended": False}] * 3,
    {"is_suspended": False, "is_suspended_by_us": True},
    {"is_suspended": True},
    {"is_suspended": True, "is_suspended_by_us": True},
]
QUEUES = [{"queue": None}, {"queue": "gpus"}, {"queue": "gpus", "own_queue": "gpus"}, {"own_queue": "gpus"}]
JOBS = _choices(
    _RANDOM,
    STATES,
    {
        "end": ENDS,
        "stop": STOPS,
        "queue": QUEUES,
        "created_at": MOMENTS,
        "is_started": [True, True, False],
        "is_owned": [True, False],
        "is_deleting": [False, False, False, True],
        "is_drifted": [False, False, True],
        "succeeded_pods": [0, 1, 3],
        "failed_pods": [0, 1, 7],
    },
)


@st.composite
def jobs(draw: Draw, owner: Resource, uid: str, name: str) -> Job:
    """One in any state."""
    spec, parts = owner.spec, dict(JOBS[draw(numbers)])
    end, stop, queue = parts.pop("end"), parts.pop("stop"), parts.pop("queue")
    is_started, is_drifted = parts.pop("is_started"), parts.pop("is_drifted")
    job = Job(
        name=name,
        uid=uid,
        template_hash="" if is_drifted else template_hash(spec.scheduling),
        backoff_limit=None if is_drifted else spec.retries,
        active_deadline_s=spec.active_deadline_s,
        ttl_s=None if is_drifted else spec.ttl_s,
        completions=spec.scheduling.parallelism,
        started_at=parts["created_at"] if is_started else None,
        **parts,
        **end,
        **queue,
        **stop,
    )
    # The template's hash tells of the queue, too.
    own_queue = job.own_queue if is_drifted else spec.scheduling.queue
    return replace(job, own_queue=own_queue, started_at=None if job.is_suspended else job.started_at)


@st.composite
def pods(draw: Draw, uids: Sequence[str]) -> tuple[Pod, ...]:
    """Up to twelve of those Jobs or of one that is gone, in any state; half of them have failed."""
    states = draw(st.lists(st.tuples(numbers, st.integers(0, len(uids))), max_size=12))
    owners = [*uids, "gone"]
    return tuple(
        replace(PODS[number], name=f"garden-{position:02}", job_uid=owners[owner])
        for position, (number, owner) in enumerate(states)
    )


progresses = st.builds(
    Progress,
    percent=st.integers(0, 100),
    stage=st.sampled_from(["encode", "\x00"]),
    eta_s=st.sampled_from([None, 0, 2**70]),
    scenes_done=st.sampled_from([0, 2**40]),
    scenes_total=st.just(1),
)


@st.composite
def looks(draw: Draw, *, is_deleted: bool = False) -> Observed:
    """One look at the cluster, at a resource that is being deleted or not."""
    owner = draw(resources(is_deleted=is_deleted))
    names = draw(st.permutations([name_of(owner), "garden-0123456789", "garden-9876543210"]))
    count = draw(st.sampled_from([1, 1, 1, 0, 2]))
    own = [draw(jobs(owner, uid, name)) for uid, name in zip(("first", "second")[:count], names, strict=False)]
    orphans = [draw(jobs(owner, "orphan", names[-1]))] if draw(st.integers(0, 5)) == 5 else []
    cleaner = jobs(owner, "cleanup", cleanup_name(resource_name=KEY.name, uid=UID))
    cleanup = draw(st.none() | cleaner) if is_deleted else None
    return Observed(
        owner,
        tuple(own),
        draw(pods([job.uid for job in (*own, *orphans, *([cleanup] if cleanup else []))])),
        progress=draw(st.none() | progresses),
        cleanup=cleanup,
        orphans=tuple(orphans),
        admissions=draw(
            st.lists(st.builds(Admission, st.sampled_from([job.uid for job in own]), texts), max_size=2).map(tuple)
        )
        if own
        else (),
        same_destination=draw(st.sampled_from([(), (), (Key("default", "twin"), Key("far", "twin"))])),
        pod_refusal=draw(st.sampled_from([None, "exceeded quota"])),
        has_gpu_nodes=draw(st.sampled_from([None, True, False])),
    )

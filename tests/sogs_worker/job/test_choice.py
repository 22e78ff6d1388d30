"""Runs that take some scenes of many, and call their outputs otherwise than by their paths."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from .conftest import Ended, Job, build_ply

TRAINED = "point_cloud/iteration_30000/point_cloud.ply"


@pytest.fixture
def runs(job: Job) -> Job:
    """Prepare what a trainer leaves of two scenes, an archive of two and one that is damaged."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"barn/{TRAINED}", build_ply(50, seed=1))
        file.writestr(f"well/{TRAINED}", build_ply(60, seed=2))
        file.writestr("well/input.ply", b"no scene")
    bodies = {
        f"garden/{TRAINED}": build_ply(70, seed=3),
        f"lawn/{TRAINED}": build_ply(80, seed=4),
        "lawn/point_cloud/iteration_7000/point_cloud.ply": b"no scene",
        "tour.zip": archive.getvalue(),
        "old/tour.zip": b"no archive",
    }
    for name, body in bodies.items():
        job.put(f"runs/{name}", body)
    job.document["source"] |= {
        "uri": f"s3://{job.bucket}/runs/",
        "include": ["**/iteration_30000/*.ply"],
        "exclude": ["old/*"],
    }
    job.document["destination"]["names"] = "{top}"
    job.document["cache"] = "Use"
    return job


def outputs(ended: Ended) -> dict[str, dict[str, Any]]:
    assert ended.code == 0, (ended.errors, ended.message)
    return {output["name"]: output for output in ended.message["outputs"]}


def test_what_is_asked_for_is_made_and_called_so(runs: Job) -> None:
    ended = runs.run()
    splats = {name: output["splats"] for name, output in outputs(ended).items()}
    assert splats == {"garden": 70, "lawn": 80, "tour/barn": 50, "tour/well": 60}
    made = {key for key in runs.server.keys(runs.bucket) if key.startswith("compressed/")}
    assert made == {f"compressed/{name}.sog" for name in splats} | {"compressed/my-garden.manifest.json"}
    assert [line for line in ended.lines if line.get("level") == "warning"] == []
    entries = json.loads(runs.get("compressed/my-garden.manifest.json"))["outputs"]
    assert {entry["uri"] for entry in entries} == {f"s3://{runs.bucket}/compressed/{name}.sog" for name in splats}


def test_outputs_that_keep_their_places_are_not_made_again(runs: Job) -> None:
    first = outputs(runs.run())
    runs.document["source"]["exclude"] = ["old/*", "garden/**"]
    fewer = runs.run()
    assert fewer.message["cacheHits"] == 3
    assert {*outputs(fewer)} == {"lawn", "tour/barn", "tour/well"}
    assert {entry["name"] for entry in json.loads(runs.get("compressed/my-garden.manifest.json"))["outputs"]} == {
        *outputs(fewer)
    }
    assert runs.get("compressed/garden.sog")
    runs.document["destination"]["names"] = "v2/{top}"
    moved = runs.run()
    assert {*outputs(moved)} == {"v2/lawn", "v2/tour/barn", "v2/tour/well"}
    assert (moved.message["cacheHits"], outputs(moved)["v2/lawn"]["sha256"]) == (0, first["lawn"]["sha256"])


def test_deleting_takes_outputs_of_any_name(runs: Job) -> None:
    outputs(runs.run())
    del runs.document["source"], runs.document["preview"], runs.document["cache"]
    del runs.document["destination"]["names"]
    runs.document["operation"] = "delete"
    ended = runs.run()
    assert (ended.code, ended.message["deleted"], ended.message["kept"]) == (0, 5, 0)
    assert [key for key in runs.server.keys(runs.bucket) if key.startswith("compressed/")] == []


def test_nothing_that_matches_is_as_an_empty_prefix(runs: Job) -> None:
    runs.document["source"] |= {"include": ["*.spz"], "exclude": []}
    ended = runs.run()
    assert ended.failure == (66, "SourceMissing")
    assert ended.sentence == (
        f"s3://{runs.bucket}/runs/ has no scene and no archive that matches spec.source.include *.spz; put one there or"
        " correct the globs."
    )


def test_two_scenes_of_one_name_are_refused_before_the_work(runs: Job) -> None:
    runs.document["destination"]["names"] = "{folder}"
    ended = runs.run()
    assert ended.failure == (64, "Usage")
    raw = f"s3://{runs.bucket}/runs"
    assert ended.sentence.startswith(f"{raw}/garden/{TRAINED} and {raw}/lawn/{TRAINED} would both be called iteration_")
    assert not any(line.get("stage") == "encode" for line in ended.lines)


def test_an_output_among_the_sources_is_refused(runs: Job) -> None:
    runs.document["destination"] |= {"uri": f"s3://{runs.bucket}/", "names": "runs/{top}"}
    ended = runs.run()
    assert ended.failure == (64, "Usage")
    assert "/runs/garden.sog would lie in the source's prefix" in ended.sentence

"""Runs whose outputs have several files: what is published, told, kept and made again, in buckets and in volumes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Ended, Job, build_ply

PLANES = {"means_l.webp", "means_u.webp", "quats.webp", "scales.webp", "sh0.webp"}
WITH_SH = PLANES | {"shN_centroids.webp", "shN_labels.webp"}


@pytest.fixture
def unbundled(job: Job) -> Job:
    job.document["encoder"]["format"] = "sog-unbundled"
    job.document["cache"] = "Use"
    return job


def published(job: Job) -> set[str]:
    return {key for key in job.server.keys(job.bucket) if not key.startswith("raw/")}


def output_of(ended: Ended) -> dict[str, Any]:
    assert ended.code == 0, (ended.errors, ended.message)
    (output,) = ended.message["outputs"]
    return dict(output)


def test_publishes_a_folder_and_lists_its_files_in_the_manifest(unbundled: Job) -> None:
    unbundled.document["preview"] = True
    output = output_of(unbundled.run())
    names = {"meta.json", *WITH_SH}
    assert published(unbundled) == {
        *(f"compressed/garden/{name}" for name in names),
        "compressed/garden.png",
        "compressed/my-garden.manifest.json",
    }
    contents = {name: unbundled.get(f"compressed/garden/{name}") for name in names}
    (entry,) = json.loads(unbundled.get("compressed/my-garden.manifest.json"))["outputs"]
    files = {file["name"]: (file["sha256"], file["bytes"]) for file in entry.pop("files")}
    assert files == {name: (hashlib.sha256(body).hexdigest(), len(body)) for name, body in contents.items()}
    assert output == entry  # the message has no room for files
    assert output["uri"] == f"s3://{unbundled.bucket}/compressed/garden/meta.json"
    assert output["sha256"] == files["meta.json"][0]
    assert output["bytes"] == sum(map(len, contents.values()))
    client = unbundled.server.client()
    kinds = {name: client.head_object(Bucket=unbundled.bucket, Key=f"compressed/garden/{name}") for name in names}
    assert {kinds[name]["ContentType"] for name in WITH_SH} == {"image/webp"}
    assert kinds["meta.json"]["ContentType"] == "application/json"


def test_an_exact_key_names_what_lies_beside_it(unbundled: Job) -> None:
    unbundled.document["destination"]["uri"] = f"s3://{unbundled.bucket}/out/x/meta.json"
    unbundled.document["preview"] = True
    unbundled.put("raw/garden.ply", build_ply(50))
    output = output_of(unbundled.run())
    assert output["previewUri"] == f"s3://{unbundled.bucket}/out/x.png"
    assert published(unbundled) == {
        *(f"out/x/{name}" for name in {"meta.json", *PLANES}),
        "out/x.png",
        "out/x.manifest.json",
    }


def test_a_key_of_another_format_is_refused(unbundled: Job) -> None:
    unbundled.document["destination"]["uri"] = f"s3://{unbundled.bucket}/out/x.sog"
    ended = unbundled.run()
    assert ended.failure == (64, "Usage")
    assert "with spec.encoder.format sog-unbundled it must end in meta.json, or in a slash" in ended.sentence
    assert published(unbundled) == set()


def test_what_is_whole_is_kept_and_what_lacks_a_plane_is_made_again(unbundled: Job) -> None:
    first = output_of(unbundled.run())
    second = unbundled.run()
    assert output_of(second) == first | {"cached": True}
    (entry,) = json.loads(unbundled.get("compressed/my-garden.manifest.json"))["outputs"]
    assert len(entry["files"]) == 8
    plane = unbundled.get("compressed/garden/quats.webp")
    unbundled.put("compressed/garden/quats.webp", unbundled.get("compressed/garden/sh0.webp"))
    assert unbundled.run().message["cacheHits"] == 0
    assert unbundled.get("compressed/garden/quats.webp") == plane
    unbundled.server.client().delete_object(Bucket=unbundled.bucket, Key="compressed/garden/shN_labels.webp")
    assert unbundled.run().message["cacheHits"] == 0
    assert unbundled.run().message["cacheHits"] == 1


def test_the_gate_judges_all_files_together(unbundled: Job) -> None:
    output = output_of(unbundled.run())
    unbundled.document["gate"] = {"maxSizeBytes": output["bytes"] - 1}
    for cache in ("Ignore", "Use"):
        unbundled.document["cache"] = cache
        ended = unbundled.run()
        assert ended.failure == (80, "QualityGate")
        assert f"compressed/garden/meta.json would miss the gate: it has {output['bytes']:,} bytes" in ended.sentence


def test_formats_lie_beside_each_other(unbundled: Job) -> None:
    unbundled.run()
    unbundled.document["encoder"]["format"] = "sog"
    assert output_of(unbundled.run())["uri"].endswith("compressed/garden.sog")
    assert {"compressed/garden.sog", "compressed/garden/meta.json"} <= published(unbundled)


def test_a_volume_keeps_what_belongs_together(unbundled: Job) -> None:
    claim = unbundled.folder / "volumes/scenes"
    claim.mkdir(parents=True)
    (claim / "lawn.ply").write_bytes(build_ply(80))
    unbundled.environment["SPLATS_VOLUMES"] = str(claim.parent)
    unbundled.document |= {"source": {"uri": "pvc://scenes/lawn.ply"}, "destination": {"uri": "pvc://scenes/out/"}}
    output = output_of(unbundled.run())
    assert output["uri"] == "pvc://scenes/out/lawn/meta.json"
    files = {path.relative_to(claim / "out").as_posix() for path in (claim / "out").rglob("[!.]*") if path.is_file()}
    assert files == {*(f"lawn/{name}" for name in {"meta.json", *PLANES}), "my-garden.manifest.json"}
    assert not (claim / "out/.splats").exists()
    assert unbundled.run().message["cacheHits"] == 1
    plane: Path = claim / "out/lawn/sh0.webp"
    whole = plane.read_bytes()
    plane.write_bytes(whole[:-1])
    assert unbundled.run().message["cacheHits"] == 0
    assert plane.read_bytes() == whole


def test_a_folder_that_is_in_the_way_is_told_before_the_work(unbundled: Job) -> None:
    claim = unbundled.folder / "volumes/scenes"
    (claim / "out").mkdir(parents=True)
    (claim / "out/garden").touch()
    unbundled.environment["SPLATS_VOLUMES"] = str(claim.parent)
    unbundled.document["destination"] = {"uri": "pvc://scenes/out/"}
    ended = unbundled.run()
    assert ended.failure == (64, "Usage")
    assert "pvc://scenes/out/garden/meta.json would be a file and a folder at once" in ended.sentence
    assert not any(line.get("stage") == "encode" for line in ended.lines)

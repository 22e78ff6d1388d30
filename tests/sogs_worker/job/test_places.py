"""Runs between volumes, buckets and unbundled scenes."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from .conftest import Job, build_ply


@pytest.fixture
def claim(job: Job) -> Path:
    """Mount a claim with a scene; return its folder."""
    claim = job.folder / "volumes/scenes"
    (claim / "raw").mkdir(parents=True)
    (claim / "raw/lawn.ply").write_bytes(build_ply(200, seed=1))
    job.environment["SPLATS_VOLUMES"] = str(claim.parent)
    return claim


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_volume_may_be_both_sides(job: Job, claim: Path) -> None:
    job.document |= {
        "source": {"uri": "pvc://scenes/raw/"},
        "destination": {"uri": "pvc://scenes/out/"},
        "cache": "Use",
    }
    first = job.run()
    assert first.code == 0, first.message
    (output,) = first.message["outputs"]
    assert (output["uri"], output["splats"]) == ("pvc://scenes/out/lawn.sog", 200)
    assert first.message["manifestUri"] == "pvc://scenes/out/my-garden.manifest.json"
    visible = {name for name in files(claim / "out") if not name.startswith(".")}
    assert visible == {"lawn.sog", "my-garden.manifest.json"}
    assert not (claim / "out/.splats").exists()
    assert json.loads((claim / "out/my-garden.manifest.json").read_bytes())["outputs"] == [output]
    assert job.run().message["cacheHits"] == 1


def test_a_file_of_a_volume_becomes_an_object(job: Job, claim: Path) -> None:
    job.document["source"] = {"uri": "pvc://scenes/raw/lawn.ply"}
    assert job.run().code == 0
    assert zipfile.is_zipfile(io.BytesIO(job.get("compressed/lawn.sog")))
    assert files(claim) == {"raw/lawn.ply"}


def test_an_object_becomes_a_file_of_a_volume(job: Job, claim: Path) -> None:
    job.document |= {"destination": {"uri": "pvc://scenes/out/x.sog"}, "preview": True}
    ended = job.run()
    assert ended.code == 0, ended.message
    visible = {name for name in files(claim / "out") if not name.startswith(".")}
    assert visible == {"x.sog", "x.png", "x.manifest.json"}
    assert ended.message["outputs"][0]["previewUri"] == "pvc://scenes/out/x.png"


@pytest.mark.parametrize(
    ("uri", "failure", "words"),
    [
        ("pvc://scenes/raw/none.ply", (66, "SourceMissing"), "pvc://scenes/raw/none.ply does not exist"),
        ("pvc://scenes/empty/", (66, "SourceMissing"), "pvc://scenes/empty/ has no scene"),
        ("pvc://other/raw/lawn.ply", (64, "Usage"), "claim 'other' of pvc://other/raw/lawn.ply is not mounted"),
    ],
)
def test_says_what_is_missing(job: Job, claim: Path, uri: str, failure: tuple[int, str], words: str) -> None:
    assert claim.is_dir()
    job.document["source"] = {"uri": uri}
    ended = job.run()
    assert ended.failure == failure
    assert words in ended.sentence


def test_an_unbundled_scene_is_encoded_again(job: Job) -> None:
    assert job.run().code == 0
    with zipfile.ZipFile(io.BytesIO(job.get("compressed/garden.sog"))) as bundle:
        for name in bundle.namelist():
            job.put(f"unbundled/garden/{name}", bundle.read(name))
    job.put("unbundled/lawn.ply", build_ply(200, seed=1))
    job.document["destination"]["uri"] = f"s3://{job.bucket}/again/"
    job.document["source"]["uri"] = f"s3://{job.bucket}/unbundled/"
    ended = job.run()
    assert ended.code == 0, ended.message
    splats = {output["name"]: output["splats"] for output in ended.message["outputs"]}
    assert splats == {"garden": 300, "lawn": 200}
    job.document["source"]["uri"] = f"s3://{job.bucket}/unbundled/garden/meta.json"
    (output,) = job.run().message["outputs"]
    assert (output["name"], output["splats"]) == ("garden", 300)


def test_a_damaged_plane_is_named_by_its_address(job: Job) -> None:
    assert job.run().code == 0
    with zipfile.ZipFile(io.BytesIO(job.get("compressed/garden.sog"))) as bundle:
        for name in bundle.namelist():
            job.put(f"unbundled/garden/{name}", bundle.read(name) if name != "quats.webp" else b"no picture")
    job.document["source"]["uri"] = f"s3://{job.bucket}/unbundled/"
    ended = job.run()
    assert ended.failure == (65, "BadInput")
    assert "unbundled/garden" in ended.sentence
    assert str(job.folder) not in ended.sentence

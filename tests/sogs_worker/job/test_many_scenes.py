"""Runs over many scenes: names, totals, what is kept from earlier runs, what the gate stops, who wins a race."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from PIL import Image

from sogs_worker.job.process import run_task
from sogs_worker.job.supervisor import prepare_scratch
from sogs_worker.publish.manifest import Result
from sogs_worker.publish.staged import Publishing
from sogs_worker.render.sheet import LINE_HEIGHT
from sogs_worker.reporting.display import Lines
from sogs_worker.reporting.progress import Progress
from sogs_worker.scenes.run import Making
from sogs_worker.source.objects import SourceObject
from sogs_worker.source.search import NO_SCENE, NO_SPLATS, PARTS
from sogs_worker.storage.base import ConflictError
from sogs_worker.task.environment import read_settings
from sogs_worker.task.task import load_task

from .conftest import Ended, Job, build_ply


@pytest.fixture
def many(job: Job) -> Job:
    """Prepare a prefix with a scene, an archive of two, and what is none."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("first/scan.ply", build_ply(120, seed=1))
        file.writestr("second/scan.ply", build_ply(130, seed=2))
        file.writestr("readme.txt", b"no scene")
    job.put("raw/tour.zip", archive.getvalue())
    job.put("raw/notes.txt", b"no scene")
    job.put("raw/.hidden.ply", b"no scene")
    job.document["source"]["uri"] = f"s3://{job.bucket}/raw/"
    return job


def outputs(ended: Ended) -> dict[str, dict[str, Any]]:
    assert ended.code == 0, (ended.errors, ended.message)
    return {output["name"]: output for output in ended.message["outputs"]}


def published(job: Job) -> set[str]:
    return {key for key in job.server.keys(job.bucket) if not key.startswith("raw/")}


def test_all_scenes_below_a_prefix_are_made(many: Job) -> None:
    ended = many.run()
    assert {name: output["splats"] for name, output in outputs(ended).items()} == {
        "garden": 300,
        "tour/first/scan": 120,
        "tour/second/scan": 130,
    }
    assert (ended.message["splats"], ended.message["cacheHits"]) == (550, 0)
    assert published(many) == {
        "compressed/garden.sog",
        "compressed/tour/first/scan.sog",
        "compressed/tour/second/scan.sog",
        "compressed/my-garden.manifest.json",
    }
    lines = [line for line in ended.lines if "stage" in line]
    percents = [line["percent"] for line in lines]
    assert percents == sorted(percents)
    assert [lines[-1][name] for name in ("stage", "percent", "scenesDone", "scenesTotal")] == ["done", 100, 3, 3]


def test_what_is_no_scene_below_a_prefix_is_passed_over_and_logged(many: Job) -> None:
    points = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n0\n"
    photos = io.BytesIO()
    with zipfile.ZipFile(photos, "w") as file:
        file.writestr("photo.jpg", b"no scene")
    many.put("raw/input.ply", points)
    many.put("raw/lod/lod-meta.json", b'{"filenames": ["0_0/meta.json"]}')
    many.put("raw/lod/0_0/meta.json", b'{"means": {}}')
    many.put("raw/photos.zip", photos.getvalue())
    ended = many.run()
    assert {*outputs(ended)} == {"garden", "tour/first/scan", "tour/second/scan"}
    raw = f"s3://{many.bucket}/raw/"
    assert [line["message"] for line in ended.lines if line.get("level") == "warning"] == [
        f"passed over: {raw}input.ply {NO_SPLATS}",
        f"passed over: {raw}lod/lod-meta.json {PARTS}",
        f"passed over: {raw}photos.zip {NO_SCENE}",
    ]


def test_archives_without_any_scene_are_refused(job: Job) -> None:
    photos = io.BytesIO()
    with zipfile.ZipFile(photos, "w") as file:
        file.writestr("photo.jpg", b"no scene")
    job.put("photos/photos.zip", photos.getvalue())
    job.document["source"]["uri"] = f"s3://{job.bucket}/photos/"
    ended = job.run()
    assert (ended.code, ended.message["error"]["reason"]) == (65, "BadInput")
    assert "has archives only, and no scene is in any" in ended.message["error"]["message"]


def test_a_second_run_makes_nothing(many: Job) -> None:
    many.document["cache"] = "Use"
    first = outputs(many.run())
    many.put("raw/lawn.ply", build_ply(140, seed=3))
    second = many.run()
    assert second.message["cacheHits"] == 3
    assert {name: output["sha256"] for name, output in outputs(second).items() if name in first} == {
        name: output["sha256"] for name, output in first.items()
    }
    assert {name for name, output in outputs(second).items() if not output.get("cached")} == {"lawn"}


def test_a_target_is_of_each_scene_and_what_it_removes_is_told_again_of_kept_outputs(many: Job) -> None:
    many.document["cache"] = "Use"
    many.document["encoder"] = {"quality": "fast", "target": {"maxSplats": 125}}
    for hits in (0, 3):
        ended = many.run()
        assert {name: output["splats"] for name, output in outputs(ended).items()} == {
            "garden": 125,
            "tour/first/scan": 120,
            "tour/second/scan": 125,
        }
        manifest = json.loads(many.get("compressed/my-garden.manifest.json"))
        removed = [entry.get("removed", {}) for entry in manifest["outputs"]]
        assert [sum(counts.values()) for counts in removed] == [175, 0, 5]
        assert (ended.message["cacheHits"], ended.message["removed"]) == (hits, manifest["removed"])
        assert sum(manifest["removed"].values()) == 180
        assert {*manifest["removed"]} <= {"merged", "pruned"}
    many.document["encoder"] = {"quality": "fast", "target": {"maxSplats": "50%"}}
    assert many.run().message["cacheHits"] == 0


def test_previews_of_many_scenes_make_a_contact_sheet(many: Job) -> None:
    many.document |= {"preview": True, "cache": "Use"}
    first = many.run()
    outputs(first)
    key = "compressed/my-garden.contact-sheet.png"
    assert first.message["contactSheetUri"] == f"s3://{many.bucket}/{key}"
    sheet = Image.open(io.BytesIO(many.get(key)))
    tiles = [(column * 320, row * (240 + LINE_HEIGHT)) for row in (0, 1) for column in (0, 1)]
    drawn = [sheet.crop((left, top, left + 320, top + 240)).getbbox() is not None for left, top in tiles]
    assert drawn == [True, True, True, False]
    there = many.server.client().head_object(Bucket=many.bucket, Key=key)["ETag"]
    again = many.run().message
    assert (again["cacheHits"], again["contactSheetUri"]) == (3, first.message["contactSheetUri"])
    assert many.server.client().head_object(Bucket=many.bucket, Key=key)["ETag"] == there
    many.put("raw/lawn.ply", build_ply(140, seed=3))
    assert many.run().message["cacheHits"] == 3
    sheet = Image.open(io.BytesIO(many.get(key)))
    assert sheet.crop((320, 240 + LINE_HEIGHT, 640, 480 + LINE_HEIGHT)).getbbox()


def test_scenes_that_were_there_count(job: Job) -> None:
    job.document["cache"] = "Use"
    job.put("raw/lawn.ply", build_ply(50))
    job.document["source"]["uri"] = f"s3://{job.bucket}/raw/"
    job.run()
    ended = job.run()
    last = ended.lines[-1]
    assert ended.message["cacheHits"] == 2
    assert [last[name] for name in ("stage", "scenesDone", "scenesTotal")] == ["done", 2, 2]


def test_a_scene_may_be_called_as_the_folder_of_another(job: Job) -> None:
    job.put("raw/garden/scan.ply", build_ply(50))
    job.put("raw/garden/shed/scan.ply", build_ply(60))
    job.document["source"]["uri"] = f"s3://{job.bucket}/raw/"
    found = {name: output["splats"] for name, output in outputs(job.run()).items()}
    assert found == {"garden": 300, "garden/scan": 50, "garden/shed/scan": 60}


@pytest.mark.parametrize("change", [{"encoder": {"seed": 1}}, {"preview": True}, {"gate": {"minPSNR": 1}}], ids=str)
def test_what_lacks_something_is_made_again(job: Job, change: dict[str, Any]) -> None:
    job.document["cache"] = "Use"
    job.run()
    for name, value in change.items():
        job.document[name] = {**job.document[name], **value} if name == "encoder" else value
    assert job.run().message["cacheHits"] == 0
    assert job.run().message["cacheHits"] == 1


def test_content_counts_where_the_version_differs(job: Job) -> None:
    job.document["cache"] = "Use"
    job.run()
    job.put("raw/again.ply", job.get("raw/garden.ply"))
    job.document["source"]["uri"] = f"s3://{job.bucket}/raw/again.ply"
    job.document["destination"]["uri"] = f"s3://{job.bucket}/compressed/garden.sog"
    assert job.run().message["cacheHits"] == 1


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"minPSNR": 199}, "spec.gate.minPSNR is 199 dB"),
        ({"maxSizeBytes": 10}, "spec.gate.maxSizeBytes is 10"),
        ({"minRatio": 1000}, "spec.gate.minRatio is 1000"),
    ],
)
def test_what_misses_the_gate_is_not_published(job: Job, gate: dict[str, Any], words: str) -> None:
    job.document["gate"] = gate
    ended = job.run()
    assert ended.failure == (80, "QualityGate")
    assert words in ended.sentence
    assert "compressed/garden.sog" in ended.sentence
    assert published(job) == set()


def test_what_passes_the_gate_tells_its_psnr(job: Job) -> None:
    job.document["gate"] = {"minPSNR": 10, "maxSizeBytes": 10**6, "minRatio": 0.1}
    assert 10 < outputs(job.run())["garden"]["psnr"] < 100


def test_one_broken_scene_leaves_nothing_of_the_others(many: Job) -> None:
    many.put("raw/zzz.ply", build_ply(100)[:-50])
    ended = many.run()
    assert ended.failure == (65, "BadInput")
    assert f"s3://{many.bucket}/raw/zzz.ply" in ended.sentence
    assert published(many) == set()


def test_a_broken_scene_in_an_archive_is_named(job: Job) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("good.ply", build_ply(50))
        file.writestr("bad.ply", b"hello")
    job.put("raw/two.zip", archive.getvalue())
    job.document["source"]["uri"] = f"s3://{job.bucket}/raw/two.zip"
    ended = job.run()
    assert ended.failure == (65, "BadInput")
    assert f"s3://{job.bucket}/raw/two.zip/bad.ply" in ended.sentence
    assert published(job) == set()


def test_an_exact_key_takes_one_scene(job: Job) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.ply", build_ply(50))
        file.writestr("b.ply", build_ply(50))
    job.put("raw/two.zip", archive.getvalue())
    job.document["source"]["uri"] = f"s3://{job.bucket}/raw/two.zip"
    job.document["destination"]["uri"] = f"s3://{job.bucket}/compressed/x.sog"
    ended = job.run()
    assert ended.failure == (64, "Usage")
    assert "one key for many scenes; end it with a slash" in ended.sentence


def test_an_empty_prefix_is_a_missing_source(job: Job) -> None:
    job.document["source"]["uri"] = f"s3://{job.bucket}/nothing/"
    ended = job.run()
    assert ended.failure == (66, "SourceMissing")
    assert "has no scene and no archive" in ended.sentence


class KilledError(Exception):
    """The process ends here."""


def kill_between_record_and_copies(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until all is uploaded and recorded, and nothing of it is visible."""

    def die(*_: object) -> None:
        raise KilledError

    (job.folder / "run.json").write_text(json.dumps(job.document))
    settings = read_settings(job.environment)
    prepare_scratch(settings)
    task = load_task(settings.run_document, job.environment)
    with monkeypatch.context() as patched:
        patched.setattr(Publishing, "run", die)
        with pytest.raises(KilledError):
            run_task(task, settings, Progress(Lines(io.StringIO())))
    (claim,) = [key for key in published(job) if key.endswith("/attempt.json")]
    assert json.loads(job.get(claim))["record"]["manifestKey"] == "compressed/my-garden.manifest.json"
    assert "compressed/garden.sog" not in published(job)


def test_the_next_attempt_publishes_what_was_recorded(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_between_record_and_copies(job, monkeypatch)
    ended = job.run()
    assert outputs(ended)["garden"]["splats"] == 300
    assert not any(line.get("stage") == "encode" for line in ended.lines)
    assert published(job) == {"compressed/garden.sog", "compressed/my-garden.manifest.json"}


def test_what_was_recorded_of_an_older_source_is_made_again(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_between_record_and_copies(job, monkeypatch)
    job.put("raw/garden.ply", build_ply(77))
    assert outputs(job.run())["garden"]["splats"] == 77
    assert published(job) == {"compressed/garden.sog", "compressed/my-garden.manifest.json"}


def test_an_announced_content_is_checked_though_the_version_is_known(job: Job) -> None:
    job.document["cache"] = "Use"
    job.run()
    job.document["source"]["sha256"] = "0" * 64
    assert job.run().failure == (65, "BadInput")


def run_after(job: Job, other: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> Result:
    """Run, and when all is made but nothing published, let another run come first."""
    whole = Making.run

    def run_late(making: Making, objects: Sequence[SourceObject]) -> Any:
        made = whole(making, objects)
        other()
        return made

    monkeypatch.setattr(Making, "run", run_late)
    (job.folder / "run.json").write_text(json.dumps(job.document))
    settings = read_settings({**job.environment, "SPLATS_SCRATCH": str(job.folder / "slow")})
    prepare_scratch(settings)
    return run_task(load_task(settings.run_document, job.environment), settings, Progress(Lines(io.StringIO())))


def test_the_slower_of_two_runs_reports_the_others_output(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    faster = another(job)
    faster.document["gate"] = {"minPSNR": 1}  # which its output's metadata tell, so that it is not the same object
    (output,) = run_after(job, faster.run, monkeypatch).outputs
    assert (output.is_cached, output.splats) == (True, 300)
    assert output.psnr is not None
    assert published(job) == {
        "compressed/garden.sog",
        "compressed/my-garden.manifest.json",
        "compressed/other-garden.manifest.json",
    }


def test_the_slower_of_two_different_runs_changes_nothing(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace_output() -> None:
        job.put("compressed/garden.sog", b"of another run")

    with pytest.raises(ConflictError, match="let only one resource write there"):
        run_after(job, replace_output, monkeypatch)
    assert job.get("compressed/garden.sog") == b"of another run"
    assert {key for key in published(job) if "/.splats/" not in key} == {"compressed/garden.sog"}


def test_what_an_attempt_was_uploading_when_it_was_killed_is_removed(job: Job) -> None:
    (job.folder / "run.json").write_text(json.dumps(job.document))
    task = load_task(job.folder / "run.json", job.environment)
    client = job.server.client()
    job.put(f"{task.hidden_folder}00000001-killed/attempt.json", b'{"record": null}')
    client.create_multipart_upload(Bucket=job.bucket, Key=f"{task.hidden_folder}00000001-killed/part")
    assert "Uploads" in client.list_multipart_uploads(Bucket=job.bucket)
    assert job.run().code == 0
    assert "Uploads" not in client.list_multipart_uploads(Bucket=job.bucket)


def another(job: Job) -> Job:
    """Prepare the run of another resource with the same source and destination."""
    folder = job.folder / "other"
    folder.mkdir()
    places = {"RUN": "run.json", "SCRATCH": "scratch", "TERMINATION_LOG": "termination-log"}
    environment = {f"SPLATS_{name}": str(folder / place) for name, place in places.items()}
    document = {**json.loads(json.dumps(job.document)), "name": "other-garden"}
    return Job(job.server, job.bucket, folder, document, {**job.environment, **environment})


def test_two_runs_at_once_end_with_one_state(job: Job) -> None:
    """Both start with nothing there; whoever publishes second finds the other's output and reports it."""
    second = another(job)
    processes = job.start(), second.start()
    ended = job.finish(processes[0]), second.finish(processes[1])
    first, other = (outputs(each)["garden"] for each in ended)
    assert first["sha256"] == other["sha256"]
    assert published(job) == {
        "compressed/garden.sog",
        "compressed/my-garden.manifest.json",
        "compressed/other-garden.manifest.json",
    }

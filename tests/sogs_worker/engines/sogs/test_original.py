"""A run of the original, in its process: files become a scene, words progress, draws are seeded, faults sentences.

The packages need CUDA; here modules of their names stand in for them. test_sogs.py has the real ones.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from packed_scenes import build_sog_v1, dump
from sogs_worker.engines.sogs.arrays import OPAQUE_LOGIT, to_arrays
from sogs_worker.engines.sogs.process import SHARES, run_original
from sogs_worker.errors import NoGPUError, StorageError, WorkerError
from sogs_worker.formats.sog.layout import EncodedScene
from splat_builders import build_splats, replace

STAND_IN = """
import shutil
from pathlib import Path
import numpy, torch
from plyfile import PlyData, PlyElement

def pack_quaternion_to_rgba_tensor(q):
    raise NotImplementedError

def log_transform(x):
    return torch.sign(x) * torch.log1p(torch.abs(x))

def run_compression(compress_dir, splats, verbose):
    assert not verbose
    assert list(splats) == ["means", "opacities", "scales", "quats", "sh0", "shN"]
    splats["means"] = log_transform(splats["means"])
    splats["quats"] = torch.nn.functional.normalize(splats["quats"], dim=-1)
    splats["quats"][splats["quats"][..., 3] < 0] *= -1
    splats["sh0"] = splats["sh0"].clamp(-3.0, 3.0)
    splats["shN"] = splats["shN"].clamp(-6.0, 6.0)
    if SORT:
        exec(SORT)
    opacities = splats.pop("opacities")
    assert opacities.shape == (100,)
    print("Warning: Number of Gaussians was not square. Removed 7 Gaussians.")
    for file in sorted(Path(__file__).with_name("files").iterdir()):
        shutil.copy(file, compress_dir)
    for name in NAMES:
        print(f"✓ {name}")
    DRAWN = [torch.rand(1).item(), numpy.random.random()]
    if FAULT:
        exec(FAULT)
"""

Outcome = tuple[EncodedScene, np.ndarray, list[float]]
Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a stand-in that writes 100 splats of 1 band, whatever it is given."""
    package = tmp_path / "sogs"
    meta, planes = build_sog_v1(100, bands=1)
    (package / "files").mkdir(parents=True)
    for name, data in {**planes, "meta.json": dump(meta)}.items():
        (package / "files" / name).write_bytes(data)
    (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")

    def go(*, sort: str = "", fault: str = "", module: str = STAND_IN, bands: int = 1, seed: int = 5) -> Outcome:
        names = f"NAMES, SORT, FAULT = {[*SHARES]!r}, {sort!r}, {fault!r}\n"
        (package / "sogs_compression.py").write_text(names + module)
        told: list[float] = []
        splats = build_splats(100, bands=bands)
        scene, copies = run_original(splats, count=100, device="cpu", seed=seed, progress=told.append)
        return scene, copies, told

    return go


def test_its_words_become_progress_and_none_of_them_our_output(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    scene, copies, told = run()
    meta, planes = build_sog_v1(100, bands=1)
    assert dict(scene.images) == planes
    assert json.loads(scene.meta.to_json()) == meta
    assert not copies.any()
    assert told == sorted(SHARES.values())
    assert capfd.readouterr() == ("", "")


def test_what_became_of_the_placeholder_for_sh_is_left_out(run: Run) -> None:
    scene, _, _ = run(bands=0)
    assert "shN" not in scene.meta.to_document()
    assert sorted(scene.images) == sorted(name for name in SHARES if not name.startswith("shN"))


def test_the_seed_decides_all_draws(run: Run) -> None:
    said = []
    for seed in (5, 5, 6):
        with pytest.raises(WorkerError) as caught:
            run(fault="raise RuntimeError(DRAWN)", seed=seed)
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert said[0].startswith("the original SOGS failed (RuntimeError: [0.")
    draws = [set(sentence.partition("[")[2].partition("]")[0].split(", ")) for sentence in said]
    assert len(draws[0]) == 2
    assert not draws[0] & draws[2]


def test_a_failure_is_told_by_what_was_raised(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkerError, match=r"failed \(RuntimeError: no such kernel\); use the engine native"):
        run(fault=r"raise RuntimeError('no such kernel\n\nCompile with assertions.')")
    assert "Compile with assertions." in capfd.readouterr().err, "the whole is for the log"
    with pytest.raises(WorkerError, match=r"was ended \(signal 9\); if memory is short"):
        run(fault="import os; os.kill(os.getpid(), 9)")
    with pytest.raises(WorkerError, match=r"failed \(exit code 3\)"):
        run(fault="raise SystemExit(3)")
    with pytest.raises(WorkerError, match="the GPU has too little memory"):
        run(fault="raise torch.OutOfMemoryError('Tried to allocate 2 GiB')")


def test_a_sort_that_loses_splats_is_refused(run: Run) -> None:
    with pytest.raises(WorkerError, match="the original's sort has lost 99 of 100 splats"):
        run(sort="for name in splats: splats[name] = splats[name][[0] * 100]")


@pytest.mark.parametrize("module", ["import no_such_library", "def run_compression(compress_dir, splats): ..."])
def test_packages_that_do_not_load_or_are_older_are_refused(run: Run, module: str) -> None:
    with pytest.raises(NoGPUError, match=r"the engine sogs (cannot be loaded|needs sogs)"):
        run(module=module)


def test_an_infinite_opacity_widens_the_range_of_others_no_further_than_it_must() -> None:
    splats = build_splats(10)
    logits = np.array([np.inf, -2, 1, 0, 0, 0, 0, 0, 0, np.inf], np.float32)
    made = to_arrays(replace(splats, opacities=logits))["opacities"]
    assert made.tolist() == pytest.approx([OPAQUE_LOGIT, -2, 1, 0, 0, 0, 0, 0, 0, OPAQUE_LOGIT])
    assert round(255 / (1 + np.exp(-OPAQUE_LOGIT))) == 255
    logits[1] = 9
    assert to_arrays(replace(splats, opacities=logits))["opacities"][0] == 9


def test_a_scene_without_sh_has_a_placeholder() -> None:
    assert to_arrays(build_splats(10).with_sh_bands(0))["shN"].shape == (10, 1, 3)


def test_it_gets_no_credentials(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESTINATION_AWS_SECRET_ACCESS_KEY", "hunter2")
    with pytest.raises(WorkerError, match=r"failed \(RuntimeError: \[\]\)"):
        run(fault="import os; raise RuntimeError([name for name in os.environ if 'AWS_' in name])")


def test_check_marks_are_printed_whatever_the_locale_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    _, _, told = run()
    assert told == sorted(SHARES.values())


def test_a_temporary_folder_that_is_not_there_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(StorageError, match=r"/nowhere.*: No such file or directory; make room there or set TMPDIR"):
        run()

"""A run of the original: its files become a scene, its words progress, and its random draws are ours to seed."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from packed_scenes import build_sog_v1, dump
from sogs_worker.engines.sogs.original import SHARES, run_original
from sogs_worker.engines.sogs.tensors import OPAQUE_LOGIT, make_tensors
from splat_builders import build_splats, replace


class Printer:
    """Writes a scene and prints as the original does, and draws from what it draws from."""

    def __init__(self) -> None:
        self.meta, self.planes = build_sog_v1(100, bands=1)
        self.draws: list[float] = []

    def run_compression(self, compress_dir: str, splats: dict[str, Tensor], verbose: bool) -> None:
        assert (splats, verbose) == ({}, False)
        self.draws = [torch.rand(1).item(), np.random.random(), random.random()]  # noqa: S311
        print("Warning: Number of Gaussians was not square. Removed 7 Gaussians.")
        for name in SHARES:
            Path(compress_dir, name).write_bytes(self.planes[name])
            print(f"✓ {name}")
        Path(compress_dir, "meta.json").write_bytes(dump(self.meta))
        assert np.isnan(np.zeros(1) / np.zeros(1)).all(), "a constant channel is divided without a warning"

    def log_transform(self, x: Tensor) -> Tensor:
        raise NotImplementedError


def run(original: Printer, *, seed: int = 0, bands: int = 1) -> tuple[dict[str, bytes], dict[str, object], list[float]]:
    told: list[float] = []
    scene = run_original(original, {}, seed=seed, bands=bands, progress=lambda _stage, fraction: told.append(fraction))
    return dict(scene.images), scene.meta.to_document(), told


def test_its_words_become_progress_and_none_of_them_our_output(capsys: pytest.CaptureFixture[str]) -> None:
    original = Printer()
    images, document, told = run(original)
    assert images == original.planes
    assert document == original.meta
    assert told == sorted(SHARES.values())
    assert capsys.readouterr().out == ""


def test_what_became_of_the_placeholder_for_sh_is_left_out() -> None:
    images, document, _ = run(Printer(), bands=0)
    assert "shN" not in document
    assert sorted(images) == sorted(name for name in SHARES if not name.startswith("shN"))


def test_the_seed_decides_all_draws() -> None:
    drawn = []
    for seed in (5, 5, 6):
        original = Printer()
        run(original, seed=seed)
        drawn.append(original.draws)
    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2])


def test_an_infinite_opacity_widens_the_range_of_others_no_further_than_it_must() -> None:
    splats = build_splats(10)
    logits = np.array([np.inf, -2, 1, 0, 0, 0, 0, 0, 0, np.inf], np.float32)
    made = make_tensors(replace(splats, opacities=logits), "cpu")["opacities"]
    assert made.tolist() == pytest.approx([OPAQUE_LOGIT, -2, 1, 0, 0, 0, 0, 0, 0, OPAQUE_LOGIT])
    assert round(255 / (1 + np.exp(-OPAQUE_LOGIT))) == 255
    logits[1] = 9
    assert make_tensors(replace(splats, opacities=logits), "cpu")["opacities"][0] == 9


def test_a_scene_without_sh_has_a_placeholder() -> None:
    assert make_tensors(build_splats(10).with_sh_bands(0), "cpu")["shN"].shape == (10, 1, 3)

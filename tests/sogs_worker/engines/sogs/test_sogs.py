"""The engine with the original packages on a real GPU: against the original's own command, and on odd scenes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from scenes import DATA, made_scene
from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.sogs import encode
from sogs_worker.engines.sogs.packages import PACKAGES
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.formats.sog.file import read_sog, write_sog
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.splats import Splats
from splat_builders import build_splats, replace

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not all(map(find_spec, PACKAGES)), reason="the original's packages are not installed"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU is here"),
]

RANDOM = ("shN_centroids.webp", "shN_labels.webp")
"""What depends on the order of a GPU's threads: torchpq adds up clusters with atomic operations."""

COMMAND = """
import sys
import numpy, torch
seed = int(sys.argv.pop(1))
torch.manual_seed(seed), numpy.random.seed(seed)
from sogs.cli import main
main()
"""
"""The original's own command; only its seeds are set."""

V1 = Parameters(engine="sogs", format="sogs-v1", seed=7)


def write(scene: EncodedScene, folder: Path) -> Path:
    folder.mkdir()
    for name, data in {**scene.images, "meta.json": scene.meta.to_json()}.items():
        (folder / name).write_bytes(data)
    return folder / "meta.json"


def palette_error(splats: Splats, path: Path) -> float:
    """Mean magnitude by which the SH coefficients of the nearest splat of `path` differ."""
    other = read_scene(path)
    gaps = torch.cdist(torch.tensor(other.positions).double().cuda(), torch.tensor(splats.positions).double().cuda())
    return float(np.abs(other.shn - splats.shn[gaps.argmin(dim=1).cpu().numpy()]).mean())


def scenes(folder: Path) -> list[Path]:
    real = [DATA / "scenes" / name for name in ("fruit_drops_minimal.ply", "leica_sofort_top8192.ply")]
    return [made_scene(folder / "made.ply", 3000), *(path for path in real if path.exists())]


def test_it_writes_what_the_original_command_writes(tmp_path: Path) -> None:
    for path in scenes(tmp_path):
        ours = tmp_path / f"{path.stem}-ours"
        theirs = tmp_path / f"{path.stem}-theirs"
        write(encode(read_ply(path), parameters=V1, device="cuda"), ours)
        command = [sys.executable, "-c", COMMAND, "7", "--ply", str(path), "--output-dir", str(theirs), "--no-verbose"]
        subprocess.run(command, check=True, capture_output=True)
        names = {file.name for file in ours.iterdir()}
        assert names == {file.name for file in theirs.iterdir()}
        for name in names - {"meta.json", *RANDOM}:
            assert (ours / name).read_bytes() == (theirs / name).read_bytes(), f"{path.name}: {name}"
        documents = [json.loads((folder / "meta.json").read_bytes()) for folder in (ours, theirs)]
        palettes = [document.pop("shN") for document in documents]
        assert documents[0] == documents[1]
        for field in ("shape", "dtype", "quantization", "files"):
            assert palettes[0][field] == palettes[1][field]
        errors = [palette_error(read_ply(path), folder / "meta.json") for folder in (ours, theirs)]
        print(f"{path.name}: palette's mean error {errors[0]:.6f} ours, {errors[1]:.6f} theirs")
        assert errors[0] == pytest.approx(errors[1], rel=0.02)


def test_the_seed_decides_all_but_the_palette() -> None:
    splats = build_splats(2000)
    one, same, other = (
        encode(splats, parameters=Parameters("sogs", "sogs-v1", seed=seed), device="cuda").images for seed in (1, 1, 2)
    )
    fixed = set(one) - set(RANDOM)
    assert all(one[name] == same[name] for name in fixed)
    assert any(one[name] != other[name] for name in fixed)


def constant(splats: Splats) -> Splats:
    return replace(splats, sh0=np.full_like(splats.sh0, 0.25), scales=np.full_like(splats.scales, -3))


def broken(splats: Splats) -> Splats:
    opacities, positions = splats.opacities.copy(), splats.positions.copy()
    opacities[:3], positions[5, 1], positions[6, 0] = np.inf, np.nan, -np.inf
    return replace(splats, opacities=opacities, positions=positions)


ODD: dict[str, tuple[Callable[[], Splats], int, Dropped]] = {
    "one splat": (lambda: build_splats(1), 1, Dropped()),
    "few splats": (lambda: build_splats(100), 100, Dropped()),
    "one too few": (lambda: build_splats(255), 255, Dropped()),
    "the smallest square": (lambda: build_splats(256), 256, Dropped()),
    "no square": (lambda: build_splats(300), 289, Dropped(cropped=11)),
    "no SH": (lambda: build_splats(400, bands=0), 400, Dropped()),
    "no SH and few": (lambda: build_splats(40, bands=0), 40, Dropped()),
    "one band": (lambda: build_splats(400, bands=1), 400, Dropped()),
    "two bands": (lambda: build_splats(400, bands=2), 400, Dropped()),
    "SH of 0": (lambda: replace(build_splats(400), shn=np.zeros((400, 15, 3), np.float32)), 400, Dropped()),
    "constant channels": (lambda: constant(build_splats(400)), 400, Dropped()),
    "all alike": (lambda: build_splats(1).take(np.zeros(400, int)), 400, Dropped()),
    "broken values": (lambda: broken(build_splats(402)), 400, Dropped(unusable=2)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_scenes(name: str, tmp_path: Path) -> None:
    build, count, dropped = ODD[name]
    source = build()
    first = encode(source, parameters=V1, device="cuda")
    assert (first.meta.count, first.dropped) == (count, dropped)
    decoded = read_scene(write(first, tmp_path / "v1"))
    upgraded = encode(source, parameters=Parameters(engine="sogs", seed=7), device="cuda")
    write_sog(tmp_path / "v2.sog", upgraded)
    second = read_sog(tmp_path / "v2.sog")
    assert len(decoded) == len(second) == count
    assert decoded.sh_bands == second.sh_bands == source.sh_bands
    assert np.array_equal(decoded.positions, second.positions)
    finite = source.take(np.isfinite(source.positions).all(axis=1))
    gaps = np.abs(decoded.positions[:, None] - finite.positions[None]).max(axis=2)
    nearest = gaps.argmin(axis=1)
    assert gaps.min(axis=1).max() < 1e-3
    assert np.abs(decoded.scales - finite.scales[nearest]).max() < 0.1
    assert np.abs(decoded.sh0 - finite.sh0[nearest].clip(-3, 3)).max() < 0.1
    if name not in ("all alike", "no square"):
        assert len(set(nearest)) == count, "each splat is there once"

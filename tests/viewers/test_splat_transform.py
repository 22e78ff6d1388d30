"""PlayCanvas' own converter reads our bundles, and reads in them what we do: the scene that they were made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenes import made_scene, real_scene
from sogs_worker.encode.clean import clean
from sogs_worker.encode.cloud import upload
from sogs_worker.engines import attributes, native
from sogs_worker.engines.parameters import PLAIN_QUALITIES, Parameters
from sogs_worker.engines.quality import QUALITIES
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.formats.sog.file import read_sog, write_sog, write_unbundled
from sogs_worker.splats import ARRAYS, SH_COEFFICIENTS, Splats
from splat_builders import covariances
from viewers.peers import Columns, decode_with_splat_transform, stack

SCENES = [
    "made", "leica_sofort_top8192.ply", "fruit_drops_minimal.ply", "train_1000.ply", "donut_fused_45624_sh0.ply"
]  # fmt: skip


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "made":
        return made_scene(tmp_path_factory.mktemp("made") / "scene.ply", 5000)
    return real_scene(request.param)


def to_splats(columns: Columns) -> Splats:
    """What the converter wrote, as our arrays."""
    names = [name for name in columns if name.startswith("f_rest_")]
    coefficients = len(names) // 3
    assert coefficients in SH_COEFFICIENTS
    shn = [columns[f"f_rest_{k}"] for k in range(3 * coefficients)]
    count = len(columns["x"])
    arrays = {
        "positions": stack(columns, "x", "y", "z"),
        "rotations": stack(columns, "rot_0", "rot_1", "rot_2", "rot_3"),
        "scales": stack(columns, "scale_0", "scale_1", "scale_2"),
        "opacities": columns["opacity"],
        "sh0": stack(columns, "f_dc_0", "f_dc_1", "f_dc_2"),
        "shn": np.reshape(shn, (3, coefficients, count)).transpose(2, 1, 0),
    }
    return Splats(**{name: values.astype(np.float32) for name, values in arrays.items()})


def alphas(splats: Splats) -> np.ndarray:
    return 1 / (1 + np.exp(-splats.opacities.astype(np.float64).clip(-99, 99)))


@pytest.mark.parametrize("quality", PLAIN_QUALITIES)
def test_the_converter_reads_the_scene(scene: Path, quality: str, tmp_path: Path) -> None:
    bundle, parameters = tmp_path / "scene.sog", Parameters(quality=quality)
    splats = read_ply(scene)
    encoded = native.encode(splats, parameters=parameters, device="cpu")
    write_sog(bundle, encoded)
    theirs = to_splats(decode_with_splat_transform(bundle, tmp_path / "decoded.ply"))
    check_same_splats(theirs, read_sog(bundle))
    if quality == "fast":
        write_unbundled(tmp_path / "meta.json", encoded)
        decode_with_splat_transform(tmp_path / "meta.json", tmp_path / "unbundled.ply")
        assert (tmp_path / "unbundled.ply").read_bytes() == (tmp_path / "decoded.ply").read_bytes()
    # Which row went where is the encoder's to say; what follows checks it.
    usable = clean(upload(splats, "cpu")).cloud
    cloud, weights = attributes.arrange(usable, attributes.weigh(usable), QUALITIES[quality])
    source = Splats(*(getattr(cloud, name).numpy() for name in ARRAYS))
    check_near(theirs, source, weights.numpy())


def check_same_splats(theirs: Splats, ours: Splats) -> None:
    """Two readers of one bundle may differ by the rounding of float32 only."""
    assert len(theirs) == len(ours)
    np.testing.assert_allclose(theirs.positions, ours.positions, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(theirs.scales, ours.scales, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(theirs.sh0, ours.sh0, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(theirs.shn, ours.shn, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(alphas(theirs), alphas(ours), atol=1e-5)
    cosine = np.abs((theirs.rotations * ours.rotations).sum(axis=1))
    norms = np.linalg.norm(theirs.rotations, axis=1) * np.linalg.norm(ours.rotations, axis=1)
    np.testing.assert_allclose(cosine / norms, 1, atol=1e-5)


def check_near(got: Splats, want: Splats, weights: np.ndarray) -> None:
    """By what each attribute means in a picture, as importance weighs it."""
    far = np.linalg.norm(got.positions - want.positions, axis=1) / np.exp(want.scales[:, 1])
    assert np.average(far, weights=weights) < 0.05
    shape = covariances(want)
    relative = np.linalg.norm(covariances(got) - shape, axis=(1, 2)) / np.linalg.norm(shape, axis=(1, 2))
    assert np.average(relative, weights=weights) < 0.12
    assert np.average(np.abs(got.sh0 - want.sh0).mean(axis=1), weights=weights) < 0.07
    assert np.average(np.abs(alphas(got) - alphas(want)), weights=weights) < 0.02
    if want.sh_bands:
        residual, energy = (np.square(each).sum(axis=(1, 2)) @ weights for each in (got.shn - want.shn, want.shn))
        assert residual < 0.6 * energy

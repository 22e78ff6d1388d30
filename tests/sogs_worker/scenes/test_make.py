"""What is proved of an output before it goes anywhere, and what that takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sogs_worker import formats
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import BadInputError, StorageError
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.scenes import compress
from sogs_worker.scenes.compress import SceneReport
from sogs_worker.scenes.make import Product, Recipe, produce
from sogs_worker.source.fetch import SceneFile
from splat_builders import build_splats

PARAMETERS = Parameters(quality="fast")


def make(folder: Path, **recipe: Any) -> Product:
    source = folder / "scene.ply"
    write_ply(source, build_splats(40))
    scene = SceneFile(source, "s3://scenes/scene.ply")
    return produce(
        scene,
        Recipe(PARAMETERS, **recipe),
        device="cpu",
        uri="s3://out/scene.sog",
        folder=folder / "output",
        progress=lambda *_: None,
    )


def write_instead(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Let something happen to an output right after it was written."""
    whole = compress.compress_file

    def changed(source: Path, output: Path, **options: Any) -> SceneReport:
        return change(whole(source, output, **options), output)  # type: ignore[no-any-return]

    monkeypatch.setattr(compress, "compress_file", changed)


def test_an_output_that_nobody_draws_is_not_decoded_to_floats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise AssertionError("decoded to floats")

    monkeypatch.setattr(formats, "read_scene", refuse)
    assert make(tmp_path).splats == 40
    with pytest.raises(AssertionError):
        make(tmp_path, preview=True)


def test_an_output_that_does_not_decode_is_no_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def damage(report: SceneReport, output: Path) -> SceneReport:
        content = bytearray(output.read_bytes())
        place = content.index(b"VP8L") + 30
        content[place : place + 8] = bytes(8)
        output.write_bytes(content)
        return report

    write_instead(monkeypatch, damage)
    with pytest.raises(BadInputError):
        make(tmp_path)


def test_an_output_of_other_splats_is_no_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_instead(monkeypatch, lambda report, _: replace(report, splats=41))
    with pytest.raises(StorageError, match=r"decodes to 40 splats instead of 41"):
        make(tmp_path)

"""The termination message: what fits into 4096 bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import BadInputError, SourceMissingError
from sogs_worker.job.termination import encode_failure, encode_success, punctuate, report_failure
from sogs_worker.publish.manifest import Output, Result


def build_result(outputs: int) -> Result:
    """Make a result whose names have letters of several bytes."""
    made = tuple(
        Output(f"gärten-{index}", f"s3://scenes/gärten-{index}.sog", "0" * 64, 10, 100, 7) for index in range(outputs)
    )
    return Result(made, "s3://scenes/m.manifest.json", 1.234, 0.0, "cpu", Parameters())


def test_has_all_outputs_where_they_fit() -> None:
    message = json.loads(encode_success(build_result(2)))
    assert [output["name"] for output in message["outputs"]] == ["gärten-0", "gärten-1"]
    assert message["outputs"][0]["ratio"] == 10.0
    assert message["seconds"] == 1.23


def test_leaves_out_outputs_from_the_end_but_counts_them() -> None:
    text = encode_success(build_result(1000))
    message = json.loads(text)
    names = [output["name"] for output in message["outputs"]]
    assert 3500 < len(text) <= 4096
    assert names == [f"gärten-{index}" for index in range(len(names))]
    assert (message["inputBytes"], message["outputBytes"], message["splats"]) == (100_000, 10_000, 7000)


def test_the_manifest_has_them_all() -> None:
    manifest = build_result(1000).to_manifest()
    assert len(manifest["outputs"]) == 1000
    assert manifest["encoder"] == Parameters().to_document()


@pytest.mark.parametrize("letter", ["x", "ü", "\n", "松"])
def test_cuts_a_sentence_that_is_too_long(letter: str) -> None:
    text = encode_failure(BadInputError(letter * 10_000))
    error = json.loads(text)["error"]
    assert len(text) <= 4096
    assert error["reason"] == "BadInput"
    assert error["message"].endswith("…")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("the bucket is gone; make it", "The bucket is gone; make it."),
        ("s3://scenes/a.ply is empty", "s3://scenes/a.ply is empty."),
        ("http://s3:8333 is down.", "http://s3:8333 is down."),
        ("", "."),
    ],
)
def test_makes_sentences(words: str, sentence: str) -> None:
    assert punctuate(words) == sentence


def test_a_run_ends_well_without_anyone_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report_failure(SourceMissingError("gone"), tmp_path / "no/such/folder") == 66
    assert "cannot be written" in capsys.readouterr().out

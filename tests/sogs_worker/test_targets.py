"""The file that stands for an output: named by the format, and what lies beside it by that."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from sogs_worker.engines.parameters import FORMATS
from sogs_worker.naming import beside, name_target, stem_of


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("name", ["a", "a/b", "v1.2", "a.sog", "x/meta.json"])
def test_the_stem_of_a_target_is_its_name(name: str, output_format: str) -> None:
    assert stem_of(str(name_target(PurePosixPath(name), output_format))) == name


def test_a_target_without_a_folder_has_a_stem_too() -> None:
    assert stem_of("meta.json") == "meta"
    assert (beside("meta.json", "x.webp"), beside("a/b/meta.json", "x.webp")) == ("x.webp", "a/b/x.webp")

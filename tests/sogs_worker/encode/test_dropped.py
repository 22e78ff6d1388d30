"""What was left out is counted and said by its reasons."""

from __future__ import annotations

import pytest

from sogs_worker.encode.dropped import Dropped


@pytest.mark.parametrize(
    ("dropped", "total", "words"),
    [
        (Dropped(), 0, "no splats"),
        (Dropped(unusable=1), 1, "1 unusable splat"),
        (Dropped(unusable=3, cropped=1097), 1100, "3 unusable and 1,097 cropped splats"),
        (Dropped(invisible=2, merged=3000, pruned=40), 3042, "2 invisible, 3,000 merged and 40 pruned splats"),
    ],
)
def test_reasons_are_named(dropped: Dropped, total: int, words: str) -> None:
    assert (dropped.total, str(dropped)) == (total, words)

"""Parameters are parsed strictly, and written in one way only."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from devices import on_a_gpu
from sogs_worker.engines.device import product_name, resolve_device
from sogs_worker.engines.parameters import Parameters, parse_parameters
from sogs_worker.errors import NoGPUError, UsageError


def test_nothing_means_the_defaults() -> None:
    assert parse_parameters({}) == Parameters("native", "sog", "balanced", 3, 0)


def test_the_canonical_json_does_not_depend_on_the_order() -> None:
    document = {"seed": 7, "quality": "best", "shBands": 1, "format": "sog", "engine": "native"}
    parsed = parse_parameters(document)
    assert parsed.to_document() == document
    assert parsed.to_json() == '{"engine":"native","format":"sog","quality":"best","seed":7,"shBands":1}'


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"engine": "gsplat"}, "encoder.engine must be native or sogs, got 'gsplat'"),
        ({"format": "ply"}, "encoder.format must be sog or sog-unbundled or sogs-v1, got 'ply'"),
        ({"quality": "good"}, "fast or balanced or best or compact or smallest, got 'good'"),
        ({"format": "sogs-v1"}, "encoder.format sogs-v1 is of the engine sogs alone"),
        ({"engine": "sogs", "quality": "best"}, "encoder.quality best is of the engine native"),
        ({"quality": None}, "got None"),
        ({"shBands": 4}, "encoder.shBands must be an integer from 0 to 3, got 4"),
        ({"shBands": -1}, "got -1"),
        ({"shBands": True}, "got True"),
        ({"shBands": "3"}, "got '3'"),
        ({"seed": 2**32}, "from 0 to 4294967295"),
        ({"seed": 1.0}, "got 1.0"),
        ({"sh_bands": 1}, "encoder has no field sh_bands"),
        ({"target": None}, "encoder.target must be an object with one of maxSplats, maxBytes, minPSNR, got None"),
        ({"target": {}}, "encoder.target must have exactly one of maxSplats, maxBytes, minPSNR, got none"),
        ({"target": {"maxSplats": 0}}, "or a percentage from 1% to 100%, got 0"),
        ({"target": {"maxSplats": True}}, "got True"),
        ({"target": {"maxSplats": "0%"}}, "got '0%'"),
        ({"target": {"maxSplats": "101%"}}, "got '101%'"),
        ({"target": {"maxSplats": "5 %"}}, "got '5 %'"),
        ({"target": {"maxSplats": 0.5}}, "got 0.5"),
        (
            {"target": {"maxSplats": 5, "minSplats": 1}},
            "has no field minSplats; expected one of maxSplats, maxBytes",
        ),
        ({"target": {"maxSplats": 5, "maxBytes": 9}}, "must have exactly one of"),
        ({"target": {"maxBytes": 0}}, "encoder.target.maxBytes must be an integer of at least 1, got 0"),
        ({"target": {"maxBytes": "1MB"}}, "got '1MB'"),
        ({"target": {"maxBytes": 1e6}}, "got 1000000.0"),
        ({"target": {"minPSNR": 0}}, "encoder.target.minPSNR must be a number above 0, at most 100 dB, got 0"),
        ({"target": {"minPSNR": 101}}, "got 101"),
        ({"target": {"minPSNR": float("nan")}}, "got nan"),
        ({"target": {"minPSNR": True}}, "got True"),
        ({"engine": "sogs", "target": {"maxSplats": 5}}, "encoder.target.maxSplats is of the engine native alone"),
    ],
)
def test_what_is_not_supported_is_refused(document: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_parameters(document)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("most", "splats", "count"),
    [(7, 1000, 7), (7, 3, 7), ("50%", 1001, 500), ("100%", 1001, 1001), ("1%", 30, 1), ("33%", 10**9, 330_000_000)],
)
def test_a_target_is_a_number_of_splats(most: int | str, splats: int, count: int) -> None:
    parsed = parse_parameters({"target": {"maxSplats": most}})
    assert parsed.target is not None
    assert parsed.target.count(splats) == count
    assert parse_parameters(parsed.to_document()) == parsed
    assert json.loads(parsed.to_json())["target"] == {"maxSplats": most}


@pytest.mark.parametrize("target", [{"maxBytes": 1}, {"minPSNR": 38.5}, {"minPSNR": 40}])
def test_other_targets_are_searched_for_among_all_splats(target: dict[str, Any]) -> None:
    parsed = parse_parameters({"target": target})
    assert parsed.target is not None
    assert parsed.target.is_searched
    assert parsed.target.count(1000) == 1000
    assert parse_parameters(parsed.to_document()) == parsed
    assert json.loads(parsed.to_json())["target"] == target


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == resolve_device("cpu") == "cpu"
    with pytest.raises(NoGPUError, match="--device cpu"):
        resolve_device("cuda")
    with pytest.raises(UsageError, match="got 'tpu'"):
        resolve_device("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == resolve_device("cuda") == "cuda"


def test_the_cpu_has_no_other_name() -> None:
    assert product_name("cpu") == "cpu"


@on_a_gpu
def test_a_gpu_is_called_what_the_driver_calls_it() -> None:
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    assert product_name("cuda") in subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()

"""`python -m chart.generated`: writes what the chart repeats of other files, so that nobody keeps copies by hand.

The CRD; README.md from its heading for values on; Chart.yaml from its line `# make chart ...` on, which are annotations
that Artifact Hub reads.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from chart.helm import CHART, ROOT
from chart.values_table import build_table

CRD = Path("splats.dev_splatcompressions.yaml")
VALUES_HEADING = "\n## Values\n"
ANNOTATIONS_LINE = "  # make chart writes all below this line.\n"
WIDTH = 116


def generate() -> dict[Path, str]:
    """Build the content of each file, by its path."""
    return {
        CHART / "files" / CRD: (ROOT / "crds" / CRD).read_text(),
        CHART / "README.md": _build_readme(),
        CHART / "Chart.yaml": _build_chart(),
    }


def _build_readme() -> str:
    head = _head(CHART / "README.md", VALUES_HEADING)
    schema = json.loads((CHART / "values.schema.json").read_text())
    return f"{head}\n{build_table((CHART / 'values.yaml').read_text(), schema)}"


def _build_chart() -> str:
    head = _head(CHART / "Chart.yaml", ANNOTATIONS_LINE)
    about = yaml.safe_load(head)
    annotations = {
        "changes": read_changes((ROOT / "CHANGELOG.md").read_text(), about["version"]),
        "crds": [_describe_crd(yaml.safe_load((ROOT / "crds" / CRD).read_text()))],
        "crdsExamples": [yaml.safe_load((ROOT / "examples" / "job.yaml").read_text())],
        "images": _list_images(yaml.safe_load((CHART / "values.yaml").read_text()), about["appVersion"]),
    }
    return head + "".join(_annotation(name, content) for name, content in annotations.items())


def _head(path: Path, last: str) -> str:
    head, found, _ = path.read_text().partition(last)
    return head + found


def read_changes(changelog: str, version: str) -> list[str]:
    """Read what is listed under a version, an item a line."""
    section = next(each for each in changelog.split("\n## ") if each.split(maxsplit=1)[0] == version)
    return [" ".join(item.split()) for item in re.split(r"^- ", section, flags=re.MULTILINE)[1:]]


def _describe_crd(crd: Mapping[str, Any]) -> dict[str, str]:
    spec = crd["spec"]
    (version,) = spec["versions"]
    return {
        "kind": spec["names"]["kind"],
        "version": version["name"],
        "name": crd["metadata"]["name"],
        "displayName": "Splat compression",
        "description": version["schema"]["openAPIV3Schema"]["description"],
    }


def _list_images(values: Mapping[str, Any], app_version: str) -> list[dict[str, str]]:
    repositories = [image["repository"] for image in (values["image"], values["worker"]["image"])]
    return [{"name": name, "image": f"{name}:{app_version}"} for name in repositories]


def _annotation(name: str, content: Any) -> str:
    text = yaml.safe_dump(content, sort_keys=False, width=WIDTH - 4, allow_unicode=True)
    return f"  artifacthub.io/{name}: |\n{textwrap.indent(text, '    ')}"


if __name__ == "__main__":
    for path, text in generate().items():
        path.write_text(text)

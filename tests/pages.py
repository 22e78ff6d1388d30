"""What a page of docs/ has to be pasted: its manifests and its commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def manifests(page: str) -> list[dict[str, Any]]:
    """Read all manifests of a page."""
    return [manifest for fence in fences(page, "yaml") for manifest in yaml.safe_load_all(fence)]


def command(page: str, beginning: str) -> str:
    """Find the one command of a page that begins so; it may have several lines."""
    all_of_them = [text.strip() for fence in fences(page, "console") for text in re.split(r"^\$ ", fence, flags=re.M)]
    (found,) = [text for text in all_of_them if text.startswith(beginning)]
    return found


def fences(page: str, language: str) -> list[str]:
    """Read the texts of a page's blocks in a language, in order."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)

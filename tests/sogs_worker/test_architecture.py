"""The page that shows the code's folders is true."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_folders_of_the_architecture_are_those_of_the_code() -> None:
    """One scene's way has at most eight stops, and nothing stands flat but what the page names."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    package = REPOSITORY / "worker" / "sogs_worker"
    assert 0 < page.count("/` |") <= 8
    assert all(f"`{path.name}/`" in page for path in package.iterdir() if (path / "__init__.py").exists())
    flat = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    assert flat == {"splats", "files", "naming", "errors"}
    assert all(f"`{name}`" in page for name in flat)

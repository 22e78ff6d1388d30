"""`make demo`: a scene compressed on a real cluster; on a new machine first with the worker alone, while that is built.

Runs with nothing but Python, and makes what it needs as it goes. The scenes are the real ones that SPLATS_DATA (or
../shared/data) holds, or one made from a seed. Results go to out/demo.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = ROOT / "out" / "demo"
DATA = Path(os.environ.get("SPLATS_DATA", ROOT.parent / "shared" / "data")) / "scenes"
REAL_SCENES = {"snowmiku": "snowmiku/scene.ply", "leica": "leica_sofort_top8192.ply"}
BINARIES = ROOT / ".venv" / "bin"
LEAST_PRIORITY = 19


def main() -> int:
    """Run the demo; 0 when the cluster has compressed all scenes."""
    started = time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    log = OUT / "cluster.log"
    with log.open("w") as lines:
        # In the background from the first second; it yields to whatever the user is looking at.
        cluster = subprocess.Popen(
            ["make", "cluster", "images"],
            cwd=ROOT,
            stdout=lines,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.nice(LEAST_PRIORITY),
        )
    try:
        _run("make", "setup")
        scenes = prepare_scenes()
        if cluster.poll() is None and not _is_quick(log):
            _compress_here(*next(iter(scenes.items())), started)
        if code := _follow(cluster, log):
            print(f"demo: the cluster could not be made, {log} says why; its last line: {_last_line(log)}")
            return code
    finally:
        if cluster.poll() is None:
            cluster.terminate()
            cluster.wait()
    _run("make", "install")
    arguments = [f"{name}={path}" for name, path in scenes.items()]
    return subprocess.call([BINARIES / "python", Path(__file__).with_name("on_cluster.py"), str(OUT), *arguments])


def prepare_scenes() -> dict[str, Path]:
    """Return the scenes to compress by name."""
    found = {name: DATA / path for name, path in REAL_SCENES.items() if (DATA / path).exists()}
    if found:
        return found
    made = OUT / "knot.ply"
    if not made.exists():
        _run(BINARIES / "python", ROOT / "examples" / "make_scene.py", made)
    return {"knot": made}


def _compress_here(name: str, scene: Path, started: float) -> None:
    print(f"demo: the cluster is being built in the background; meanwhile the worker alone compresses {scene}")
    bundle, picture = OUT / f"{name}-here.sog", OUT / f"{name}-here.png"
    _run(BINARIES / "sogs-worker", "compress", scene, bundle)
    _run(BINARIES / "sogs-worker", "render", bundle, picture)
    print(f"demo: {picture} shows the bundle, {time.monotonic() - started:.0f} s after the command")
    print("demo: to come: binaries of the cluster (about 15 min the first time on 2 cores), images (5 min), start of the")
    print("demo:          cluster (20 s), the operator (10 s), the same scene as a Job (1 min)")


def _is_quick(log: Path) -> bool:
    """Say whether nothing has to be built: then the cluster itself is there in seconds."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if "building" in log.read_text():
            return False
        time.sleep(0.2)
    return True


def _follow(cluster: subprocess.Popen[bytes], log: Path) -> int:
    """Show what is said in the log until the cluster is up; return its exit code."""
    with log.open() as lines:
        while True:
            ended = cluster.poll()
            shutil.copyfileobj(lines, sys.stdout)
            sys.stdout.flush()
            if ended is not None:
                return ended
            time.sleep(0.5)


def _last_line(log: Path) -> str:
    return next(iter(log.read_text().strip().splitlines()[-1:]), "(it is empty)")


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(f"demo: {' '.join(map(str, command))} failed with exit code {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())

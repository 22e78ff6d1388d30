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
CACHE = Path(os.environ.get("SPLATS_CACHE", Path.home() / ".cache" / "splat-compression"))
BUILT = (CACHE / "bin" / "kubelet", CACHE / "images" / "worker.tar")
"""Without these, the cluster's binaries and images take long to make."""


def main() -> int:
    """Run the demo; 0 when the cluster has compressed all scenes."""
    started = time.monotonic()
    OUT.mkdir(parents=True, exist_ok=True)
    if all(path.exists() for path in BUILT):
        _run("make", "--no-print-directory", "setup")
        scenes = prepare_scenes()
    else:
        scenes = _build_meanwhile(started)
    _run("make", "--no-print-directory", "install")
    arguments = [f"{name}={path}" for name, path in scenes.items()]
    return subprocess.call([BINARIES / "python", Path(__file__).with_name("on_cluster.py"), str(OUT), *arguments])


def _build_meanwhile(started: float) -> dict[str, Path]:
    """Build in the background, show what the worker does alone, then wait for the rest; return the scenes."""
    log = OUT / "build.log"
    with log.open("w") as lines:
        # From the first second, and yielding to whatever the user is looking at.
        build = subprocess.Popen(
            ["nice", "-n", "19", "make", "--no-print-directory", "build", "images"],
            cwd=ROOT,
            stdout=lines,
            stderr=subprocess.STDOUT,
        )
    try:
        _run("make", "--no-print-directory", "setup")
        scenes = prepare_scenes()
        _compress_here(*next(iter(scenes.items())), started)
        if _follow(build, log):
            sys.exit(f"demo: the cluster could not be built; {log} says why, its last line: {_last_line(log)}")
    finally:
        if build.poll() is None:
            build.terminate()
            build.wait()
    return scenes


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
    print(f"demo: the cluster is being built in the background; meanwhile, without one, the worker compresses {scene}")
    bundle, picture = OUT / f"{name}-here.sog", OUT / f"{name}-here.png"
    _run(BINARIES / "sogs-worker", "compress", "--overwrite", scene, bundle)
    _run(BINARIES / "sogs-worker", "render", "--overwrite", bundle, picture)
    print(f"demo: {picture} shows the bundle, {time.monotonic() - started:.0f} s after the command")
    print(
        "demo: to come: binaries of the cluster (about 12 min the first time on 2 cores), images (3 min), start of the"
    )
    print("demo:          cluster (20 s), the operator (10 s), the same scene as a Job (1 min)")


def _follow(build: subprocess.Popen[bytes], log: Path) -> int:
    """Show what is said in the log until the build has ended; return its exit code."""
    with log.open() as lines:
        while True:
            ended = build.poll()
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

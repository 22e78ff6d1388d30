"""`python -m gpu [ARCHIVE...]`: the operator and a compression with each engine on this machine's NVIDIA GPUs.

The embedded cluster with the GPUs of this machine's driver, both images in it, the operator from its chart, and the
tests of this folder. ARCHIVE: OCI archives that have the images localhost/splat-operator:gpu and
localhost/splat-worker:gpu; without any, both are built from the Dockerfiles, with torch for CUDA.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import installation
from cluster.cache import Cache, default_cache
from cluster.container_runtime import load_image
from cluster.environment import variables
from cluster.errors import ClusterError
from cluster.lifecycle import up
from cluster.progress import say
from gpu.images import TAG, build
from images.errors import ImageError

HERE = Path(__file__).parent


def main() -> int:
    """Do it all; pytest's exit code, or 1 when it was not reached."""
    parser = argparse.ArgumentParser(prog="python -m gpu", description=__doc__)
    parser.add_argument("archives", nargs="*", type=Path, metavar="ARCHIVE")
    archives = parser.parse_args().archives
    cache = default_cache()
    try:
        up(cache, real_gpus=True)
        for archive in archives or build(cache):
            load_image(cache, archive)
            say(f"loaded {archive.name}")
        _use(cache)
    except (ClusterError, ImageError) as error:
        print(f"gpu: {error}", file=sys.stderr)
        return 1
    if code := installation.main():
        return code
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "gpu", "-v", "-s", str(HERE)],
        check=False,
        env={**os.environ, "CLUSTER": "embedded"},
    ).returncode


def _use(cache: Cache) -> None:
    """Let the installation see this cluster as it sees a user's: by the context and a registry's name."""
    os.environ.update(variables(cache), PATH=f"{cache.bin}:{os.environ['PATH']}")
    os.environ.update(CLUSTER="current", REGISTRY="localhost", TAG=TAG)


if __name__ == "__main__":
    sys.exit(main())

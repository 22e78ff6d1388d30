"""An init container of the run that `helm test` asks for: writes a scene of 1000 splats into the run's volume."""

import random
import sys
from pathlib import Path

COUNT = 1000
SIZES = {"f_dc_": 3, "scale_": 3, "rot_": 4}
PROPERTIES = ["x", "y", "z", "opacity", *(f"{name}{i}" for name, size in SIZES.items() for i in range(size))]

draw = random.Random(0)  # noqa: S311 - nothing secret
header = ["ply", "format ascii 1.0", f"element vertex {COUNT}", *(f"property float {name}" for name in PROPERTIES)]
rows = [" ".join(f"{draw.uniform(-1, 1):.4f}" for _ in PROPERTIES) for _ in range(COUNT)]
Path(sys.argv[1]).write_text("\n".join([*header, "end_header", *rows, ""]))

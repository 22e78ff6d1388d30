"""`python -m sogs_worker`: the same as the command `sogs-worker`."""

import sys

from sogs_worker.cli import main

sys.exit(main())

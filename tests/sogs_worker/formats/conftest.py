"""Examples of properties have no deadline of their own: machines that share their cores are late at times."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

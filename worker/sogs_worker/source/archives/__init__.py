"""Archives of scenes: .zip and .tar, the latter plain or gzipped, whatever hostile people put into them.

Nothing here loads NumPy or torch, so that an archive without scenes is refused at once.
"""

from __future__ import annotations

from sogs_worker.naming import is_archive
from sogs_worker.source.archives.archive import Archive, open_archive
from sogs_worker.source.archives.members import Member

__all__ = ["Archive", "Member", "is_archive", "open_archive"]

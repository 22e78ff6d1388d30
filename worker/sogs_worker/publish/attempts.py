"""Which attempt may publish: the one that began last, though an earlier one may still be at work.

Each attempt has a hidden folder of its own, whose name has a number above those of all that were there, and in it a
claim. What it is about to make visible it records by replacing its claim, on the condition that the claim is as it has
written it. A later attempt seals the claims of earlier ones: it writes them anew, with what they have recorded, on the
same condition. Then it does what they say; and the earlier attempt, whose claim is not its own any more, cannot record
anything. An attempt removes and publishes only what lies in its own folder or in those of earlier ones.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sogs_worker.errors import InterruptedRunError, SourceMissingError
from sogs_worker.publish.records import upload_json
from sogs_worker.storage.base import Condition, ConflictError, IfAbsent, IfMatch, Receipt, Store
from sogs_worker.task.hidden import delete_below

CLAIM = "attempt.json"
RECORD = "record"
"""Name of the claim's field that says what is being published; None until all is there that it names."""


class SupersededError(InterruptedRunError):
    """A later attempt has begun: this one can publish nothing any more."""


@dataclass(frozen=True)
class Claim:
    """A claim as it was read.

    Attributes:
        folder: that it lies in.
        etag: its version.
        record: what it says is being published; empty: nothing yet.
    """

    folder: str
    etag: str
    record: Mapping[str, Any]


class Attempt:
    """One attempt among those of a hidden folder."""

    def __init__(self, store: Store, lane: str, *, name: str, mark: Mapping[str, str], scratch: Path) -> None:
        """Describe it; nothing is written yet.

        Args:
            store: the destination.
            lane: the hidden folder of all attempts.
            name: tells this attempt from all others, without a slash.
            mark: metadata of the claim.
            scratch: a folder for small files.
        """
        self._store = store
        self._lane = lane
        self._name = name
        self._mark = mark
        self._scratch = scratch
        self._own = Claim("", "", {})
        self.is_compared = False
        """Whether the store compares what it is sent with its digest, as it did with the claim."""
        self.earlier: dict[str, list[str]] = {}
        """Folders of earlier attempts, the latest first but for those with a record, and the keys that were in them."""

    @property
    def folder(self) -> str:
        """This attempt's own, ending in a slash; empty before it has begun."""
        return self._own.folder

    def begin(self) -> list[str]:
        """Claim the right to publish; return the folders of earlier attempts, each of which is to be sealed.

        Raises:
            SupersededError: a later attempt has begun at the same time.
        """
        number = 1 + max([number_of(folder) for folder in self._folders()], default=0)
        folder = f"{self._lane}{number:08}-{self._name}/"
        receipt = self._write(folder, {}, IfAbsent())
        self._own, self.is_compared = Claim(folder, receipt.etag, {}), receipt.is_verified
        there = self._folders()
        claimed = [each for each, keys in there.items() if each + CLAIM in keys]
        if folder not in claimed or max(claimed, key=order) != folder:
            self.remove(folder)
            raise self._superseded()
        earlier = sorted(there.keys() - {folder}, key=order, reverse=True)
        self.earlier = {each: there[each] for each in earlier}
        return earlier

    def seal(self, folder: str) -> Claim | None:
        """Take over the claim of an earlier attempt with what it has recorded; None if it has none, or a later one has.

        From then on that attempt can record nothing any more.
        """
        while claim := self._read(folder):
            try:
                receipt = self._write(folder, claim.record, IfMatch(claim.etag))
            except ConflictError:
                continue  # it has recorded something in this moment, or a later attempt was faster
            if claim.record:
                self.earlier[folder] = self.earlier.pop(folder)
            elif self.earlier[folder] == [folder + CLAIM]:
                self.remove(folder)
            return replace(claim, etag=receipt.etag)
        return None

    def void(self, claim: Claim) -> bool:
        """Take from an earlier attempt what it has recorded; False if a later attempt has its claim."""
        try:
            self._write(claim.folder, {}, IfMatch(claim.etag))
        except ConflictError:
            return False
        return True

    def require(self) -> None:
        """Raise SupersededError if a later attempt has begun meanwhile."""
        try:
            there = self._store.stat(self.folder + CLAIM)
        except SourceMissingError as error:
            raise self._superseded() from error
        if there.etag != self._own.etag:
            raise self._superseded()

    def record(self, document: Mapping[str, Any]) -> Claim:
        """Record what is about to become visible, unless a later attempt has begun.

        Raises:
            SupersededError: one has.
        """
        return self._replace(document)

    def withdraw(self) -> None:
        """Take the record back; raises SupersededError where a later attempt has done so, or what it says."""
        self._replace({})

    def empty(self, folder: str) -> None:
        """Remove what an attempt has uploaded, and leave its claim: what it has recorded is done, and stays known."""
        delete_below(self._store, folder, keep=folder + CLAIM)

    def remove(self, folder: str) -> None:
        """Remove all of an attempt, its claim last."""
        self.empty(folder)
        self._store.delete(folder + CLAIM)
        self.earlier.pop(folder, None)

    def remove_all(self) -> None:
        """Remove all of this attempt and of earlier ones, at last what has recorded what is published."""
        folders = [*self.earlier, self.folder] if self._own.record else [self.folder, *self.earlier]
        for folder in folders:
            self.remove(folder)

    def abandon(self, *, is_last: bool) -> None:
        """Remove what this attempt and earlier ones have left, unless it is recorded or a later attempt may need it.

        For a process that comes after the one that has begun.

        Args:
            is_last: whether no other attempt is to be expected. Else only the claim of one that has uploaded nothing
                goes.
        """
        there = self._folders()
        mine = next((folder for folder in there if folder.endswith(f"-{self._name}/")), None)
        claims = [claim for folder, keys in there.items() if folder + CLAIM in keys and (claim := self._read(folder))]
        if mine is None or any(claim.record or order(claim.folder) > order(mine) for claim in claims):
            return
        for folder in there if is_last else [mine] if there[mine] == [mine + CLAIM] else []:
            self.remove(folder)

    def _folders(self) -> dict[str, list[str]]:
        """List the folders of all attempts and the keys in them."""
        folders: dict[str, list[str]] = defaultdict(list)
        for entry in self._store.list(self._lane):
            folder, slash, _ = entry.key.removeprefix(self._lane).partition("/")
            folders[self._lane + folder + slash].append(entry.key)
        return dict(folders)

    def _read(self, folder: str) -> Claim | None:
        copy = self._scratch / "claim.json"
        etag = ""
        try:
            etag = self._store.download(folder + CLAIM, copy)
            return Claim(folder, etag, json.loads(copy.read_bytes())[RECORD] or {})
        except SourceMissingError:
            return None
        except (ValueError, LookupError, TypeError):  # none of ours: it names nothing that could be published
            return Claim(folder, etag, {})
        finally:
            copy.unlink(missing_ok=True)

    def _replace(self, record: Mapping[str, Any]) -> Claim:
        try:
            receipt = self._write(self.folder, record, IfMatch(self._own.etag))
        except ConflictError as error:
            raise self._superseded() from error
        self._own = Claim(self.folder, receipt.etag, record)
        return self._own

    def _write(self, folder: str, record: Mapping[str, Any], condition: Condition) -> Receipt:
        document = {"writtenBy": self._name, RECORD: record or None}
        key = folder + CLAIM
        return upload_json(self._store, document, key, scratch=self._scratch, metadata=self._mark, condition=condition)

    def _superseded(self) -> SupersededError:
        return SupersededError(
            f"a later attempt at {self._store.uri(self._lane)} has begun, which publishes what this one has made;"
            " it ends without publishing anything"
        )


def number_of(folder: str) -> int:
    """Return the number of an attempt's folder, 0 where it has none."""
    number = PurePosixPath(folder).name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def order(folder: str) -> tuple[int, str]:
    """Say when an attempt has begun: later ones have greater numbers, and two of the same moment an order too."""
    return number_of(folder), folder

"""The ledger's older days, a file each: an entry a line, and its hash beside it for `sha256sum -c`.

A file has its name only once it is whole and on disk, and is never changed afterwards.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from gateway.domain.usage import Entry

_PAGE = 1000
_MODE = 0o640


class OtherFile(OSError):
    """There is a file of that day already, and it is not what was to be written."""


class UnreadableLine(Exception):
    """A line of a file that is no entry: its number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class ReadDay:
    """One day's file while it is read; the hash and the counts are of what was read so far."""

    def __init__(self, path: Path, day: str) -> None:
        self._path = path
        self._day = day
        self._hash = hashlib.sha256()
        self.entries = 0
        self.fen = 0
        """Charged."""

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    async def pages(self) -> AsyncIterator[list[Entry]]:
        """All entries, some at a time.

        Raises:
            OSError: it is not there, or cannot be read.
            UnreadableLine: one that is no entry.
        """
        file = await asyncio.to_thread(self._path.open, "rb")
        try:
            while page := await asyncio.to_thread(self._read, file):
                yield page
        finally:
            file.close()

    def _read(self, file: Iterator[bytes]) -> list[Entry]:
        page = []
        for line in islice(file, _PAGE):
            self._hash.update(line)
            try:
                said = json.loads(line)
                entry = Entry.read(self._day, said["id"], said)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise UnreadableLine(self.entries + 1) from None
            self.entries += 1
            self.fen += entry.charged_fen
            page.append(entry)
        return page


class NewDay:
    """One day's file while it is written, under another name. Its methods are for a thread.

    The name is nobody else's: where a shared folder's locks hold on one machine only, two write a
    day at once. What a crash left of the day is taken out. If that is what another still writes,
    the other finds so when it gives it its name, and keeps the day in the store.
    """

    def __init__(self, folder: Path, day: str) -> None:
        self._path = folder / f"{day}.jsonl"
        for left in folder.glob(f".{day}.jsonl.*new"):
            left.unlink(missing_ok=True)
        self._new = folder / f".{day}.jsonl.{secrets.token_hex(8)}.new"
        self._file = _create(self._new)
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def write(self, entries: Sequence[tuple[str, Mapping[str, str]]]) -> None:
        """Add entries by id, as the store has them."""
        lines = "".join(
            json.dumps(
                {**said, "id": entry_id}, sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
            + "\n"
            for entry_id, said in entries
        ).encode()
        self._hash.update(lines)
        self._file.write(lines)

    def keep(self) -> None:
        """Give it its name, when all of it is on disk, and its hash.

        Raises:
            OtherFile: see there; that one stays.
        """
        _to_disk(self._file)
        if self._path.exists() and _sha256(self._path) != self.sha256:
            raise OtherFile(f"there is another file {self._path.name}; move it out of the way")
        self._new.replace(self._path)
        hash_file = _create(self._new)
        hash_file.write(f"{self.sha256}  {self._path.name}\n".encode())
        _to_disk(hash_file)
        self._new.replace(_hash_path(self._path))
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def withdraw(self) -> None:
        """Take out what `keep` kept: it is not what the day has come to."""
        for path in (_hash_path(self._path), self._path):
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Leave nothing of it that has not got its name."""
        self._file.close()
        with suppress(OSError):
            self._new.unlink(missing_ok=True)


class LedgerFiles:
    """The folder that these are in (GATEWAY_LEDGER_DIR)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, day: str) -> bool:
        return (self._folder / f"{day}.jsonl").exists()

    def read(self, day: str) -> ReadDay:
        return ReadDay(self._folder / f"{day}.jsonl", day)

    def create(self, day: str) -> NewDay:
        """Begin a day's file; for a thread."""
        return NewDay(self._folder, day)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Whether nobody else writes here at the moment; meanwhile nobody will.

        Raises:
            OSError: nobody can write here.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        lock = os.open(self._folder / ".lock", os.O_CREAT | os.O_RDWR, _MODE)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(lock)


def _create(path: Path) -> BinaryIO:
    """An empty file that its group may read, whatever was there."""
    number = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, _MODE)
    os.fchmod(number, _MODE)
    return os.fdopen(number, "wb")


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _hash_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

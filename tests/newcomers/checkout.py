"""A copy of the package that newcomers are put into, and what they changed in it."""

from __future__ import annotations

import difflib
import shutil
from dataclasses import dataclass
from pathlib import Path

import gateway

PACKAGE = Path(gateway.__file__).parent


@dataclass(frozen=True)
class Checkout:
    """A folder with a `gateway/` in it that differs from the real one."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """Has `python -m gateway` run this copy, whatever is installed or in the current folder."""
        return {"PYTHONPATH": str(self.root), "PYTHONSAFEPATH": "1"}

    def put(self, file: Path, place: str) -> None:
        shutil.copy(file, self.root / place)

    def insert(self, place: str, after: str, line: str) -> None:
        """Add a line below the one that begins so; there must be just one such."""
        lines = (self.root / place).read_text().splitlines()
        (found,) = (number for number, old in enumerate(lines) if old.startswith(after))
        lines.insert(found + 1, line)
        (self.root / place).write_text("\n".join(lines) + "\n")

    def changes(self) -> dict[str, list[str]]:
        """By file, the lines of a diff to the real package; of a new file, that it is new."""
        theirs, ours = _files(PACKAGE), _files(self.root / "gateway")
        changed = {name: ["new file"] for name in ours.keys() - theirs.keys()}
        changed |= {name: ["gone"] for name in theirs.keys() - ours.keys()}
        for name in ours.keys() & theirs.keys():
            if ours[name] != theirs[name]:
                changed[name] = _differing(theirs[name], ours[name])
        return changed


def copied(folder: Path) -> Checkout:
    shutil.copytree(PACKAGE, folder / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    return Checkout(folder)


def _files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def _differing(old: bytes, new: bytes) -> list[str]:
    lines = difflib.ndiff(old.decode().splitlines(), new.decode().splitlines())
    return [line for line in lines if line[0] in "+-"]

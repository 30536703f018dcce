"""Fetches the dashboard's three libraries anew, by the versions and hashes in `vendored.json`.

    python deploy/vendor_dashboard.py            # see that the files are those of the list
    python deploy/vendor_dashboard.py --fetch    # fetch them with npm and write them

A new version: change it in `vendored.json` and run with `--fetch --trust`, which writes the hashes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "gateway" / "dashboard" / "vendor"
LIST = FOLDER / "vendored.json"
# The one change that is made: a browser finds modules by their paths, not by names of packages.
BARE, RELATIVE = b'from"preact"', b'from"./preact.js"'


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--fetch", action="store_true")
    arguments.add_argument("--trust", action="store_true")
    said = arguments.parse_args()
    listed = json.loads(LIST.read_text())
    if said.fetch:
        with tempfile.TemporaryDirectory() as folder:
            for package in listed:
                fetch(package, Path(folder))
    wrong = [file["name"] for package in listed for file in package["files"] if differs(file)]
    if said.trust:
        LIST.write_text(json.dumps(listed, indent=2) + "\n")
    elif wrong:
        sys.exit(f"not as vendored.json says: {', '.join(wrong)}")


def fetch(package: dict, folder: Path) -> None:
    name = f"{package['package']}@{package['version']}"
    packed = subprocess.run(
        ["npm", "pack", name, "--silent"], cwd=folder, check=True, capture_output=True, text=True
    )
    with tarfile.open(folder / packed.stdout.strip()) as archive:
        for file in package["files"]:
            member = archive.extractfile(f"package/{file['from']}")
            assert member is not None, file["from"]
            content = member.read().replace(BARE, RELATIVE)
            # Without their map, which is not here, browsers would ask for it.
            lines = [line for line in content.splitlines() if b"sourceMappingURL" not in line]
            (FOLDER / file["name"]).write_bytes(b"\n".join(lines) + b"\n")


def differs(file: dict) -> bool:
    digest = hashlib.sha256((FOLDER / file["name"]).read_bytes()).hexdigest()
    before, file["sha256"] = file.get("sha256"), digest
    return before != digest


if __name__ == "__main__":
    main()

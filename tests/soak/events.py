"""What happened when, a line of JSON each: what was killed, what was found."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


class Events:
    """Written line by line, so that it is there even if the soak itself is killed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = time.time()
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def seconds(self, epoch: float | None = None) -> float:
        """Seconds since the soak began, for a time on the wall clock or for now."""
        return (time.time() if epoch is None else epoch) - self.began

    def tell(self, what: str, **details: Any) -> None:
        line = {"at": round(self.seconds(), 3), "what": what, **details}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def close(self) -> None:
        self._file.close()

"""geekai's three published curl examples, as they stand on its page for CogVideoX-3.

https://docs.geekai.co/cn/docs/video/bigmodel/cogvideox-3. The third is no valid JSON, and all have
the variable for the key in single quotes.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

EXAMPLES = ("text", "image", "first-and-last-frame")
PUBLISHED_URL = "https://geekai.co"
PUBLISHED_KEY = "$GEEKAI_API_KEY"


def pasted(name: str, url: str, key: str) -> str:
    """An example with another URL and another key, and nothing else changed."""
    text = (Path(__file__).parent / f"{name}.sh").read_text(encoding="utf-8")
    assert PUBLISHED_URL in text
    assert PUBLISHED_KEY in text
    return text.replace(PUBLISHED_URL, url).replace(PUBLISHED_KEY, key)


def run(command: str) -> Any:
    """What curl prints, pasted into a shell."""
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=120, check=True
    )
    return json.loads(done.stdout)

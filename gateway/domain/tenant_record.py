"""How teams, keys, prices and operators are kept: a text each, which is compared with what was
read before it is written over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What is kept. The values are stored."""

    TEAM = "teams"
    KEY = "team_keys"
    PRICE = "prices"
    OPERATOR = "operators"


def record_of(said: Mapping[str, Any]) -> str:
    """What is kept, written in one way only: it is compared with what was read."""
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

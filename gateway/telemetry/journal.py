"""Passes what happens on to whoever keeps something of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.domain.happenings import Happening

log = logging.getLogger(__name__)

Listener = Callable[[Happening], None]


class Telling:
    """Fits the port `Journal`. What goes wrong in a listener must not touch a task's life."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def tell(self, happening: Happening) -> None:
        for listener in self._listeners:
            try:
                listener(happening)
            except Exception:
                log.exception("%s was not kept", type(happening).__name__)

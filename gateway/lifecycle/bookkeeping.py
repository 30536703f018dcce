"""Keeps the ledger from growing for ever: its older days become files."""

from __future__ import annotations

import logging

from gateway.domain.ports import KeepsLedger

log = logging.getLogger(__name__)

_EVERY_SECONDS = 300.0
_AFTER_A_FAILURE_SECONDS = 60.0


class Bookkeeping:
    """One step is all days that are old enough. What goes wrong is told once, until it is right."""

    def __init__(self, ledger: KeepsLedger) -> None:
        self._ledger = ledger
        self._failing = False

    async def step(self) -> float:
        """Do what is due; return when to do so again, in seconds.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        kept = await self._ledger.keep()
        for day in kept.archived:
            log.info("the ledger of %s is a file now", day)
        if kept.failure and not self._failing:
            log.error(
                "the ledger cannot become a file (GATEWAY_LEDGER_DIR): %s; it stays in the store, "
                "and is tried again",
                kept.failure,
            )
        elif self._failing and not kept.failure:
            log.info("the ledger can become files again")
        self._failing = kept.failure is not None
        return _AFTER_A_FAILURE_SECONDS if self._failing else _EVERY_SECONDS

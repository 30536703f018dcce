"""What an operator must know: an account, or a key, that is refused until somebody acts."""

from __future__ import annotations

import logging

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import Rest

log = logging.getLogger(__name__)


class Alarm:
    """Tells each cause once, at level ERROR, until the account takes tasks again or is changed."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], str] = {}
        """By account, and by key where it is one's, the vendor's code."""

    def refused(self, account: Account, key: ApiKey, rest: Rest | None, reason: str) -> None:
        """A vendor refused a submit; of most causes there is nothing to be told."""
        name, again = account.name, f"gateway accounts resume {account.name}"
        if rest is Rest.ACCOUNT:
            self._tell(
                *(name, "", reason),
                f"account {name} is left alone: {reason}. When the cause is mended: {again}",
            )
        elif rest is Rest.KEY:
            others = [k for k in account.api_keys if k != key and (name, k.id) not in self._told]
            left = f"{len(others)} more may go on" if others else "it has none that works any more"
            self._tell(
                *(name, key.id, reason),
                f"account {name}: key {key.id} is refused ({reason}); {left}. Replace it "
                f"(gateway accounts set {name}), or when it works again: {again}",
            )

    def unknown(self, name: str) -> None:
        """The pool has an account that this process does not know."""
        self._tell(
            *(name, "", "unknown"),
            f"account {name} is not known to this process, and is left alone for it by all: "
            "the processes of a pool need the same settings",
        )

    def accepted(self, account: Account, key: ApiKey) -> None:
        """What is told next is news again."""
        self._told.pop((account.name, ""), None)
        self._told.pop((account.name, key.id), None)

    def forget(self) -> None:
        """Somebody changed accounts, or let one go on: all that goes on is news again."""
        self._told.clear()

    def _tell(self, account: str, key_id: str, reason: str, message: str) -> None:
        code = reason.partition(":")[0]
        if self._told.get((account, key_id)) != code:
            self._told[account, key_id] = code
            log.error("%s", message)

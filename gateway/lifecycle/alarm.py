"""What an operator must know: an account, or a key, that a vendor refuses until somebody acts."""

from __future__ import annotations

import logging

from gateway.domain.account import Account, ApiKey
from gateway.domain.provider_answers import Rest

log = logging.getLogger(__name__)


class Alarm:
    """Tells each refusal once, at level ERROR, until the account takes tasks again."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def refused(self, account: Account, key: ApiKey, rest: Rest | None, reason: str) -> None:
        """A vendor refused a submit; of most causes there is nothing to be told."""
        if rest is Rest.ACCOUNT:
            self._tell(
                account.name,
                "",
                f"account {account.name} is left alone: {reason}. When the cause is mended: "
                f"gateway accounts resume {account.name}",
            )
        elif rest is Rest.KEY:
            rest_of_keys = len(account.api_keys) - 1
            others = f"{rest_of_keys} others of it may go on" if rest_of_keys else "it has no other"
            self._tell(
                account.name,
                key.id,
                f"account {account.name}: key {key.id} is refused ({reason}); {others}. Replace it "
                f"(gateway accounts set {account.name}), or when it works again: "
                f"gateway accounts resume {account.name}",
            )

    def accepted(self, account: Account, key: ApiKey) -> None:
        """What is told next is news again."""
        self._told -= {(account.name, ""), (account.name, key.id)}

    def _tell(self, account: str, key_id: str, message: str) -> None:
        if (account, key_id) not in self._told:
            self._told.add((account, key_id))
            log.error("%s", message)

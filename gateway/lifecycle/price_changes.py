"""What an operator does to the price book. A line is never changed: it is history. To change a
price, a line is added that starts then."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from gateway.domain.errors import NotFound
from gateway.domain.ports import Tenants
from gateway.domain.tenant_form import PriceForm
from gateway.domain.tenant_record import Kind, record_of
from gateway.lifecycle.account_changes import checked_reason, split_reason
from gateway.lifecycle.kept_form import now_ms, overtaken


class PriceChanges:
    """One method for each thing that can be done; `who` and `reason` go into the audit."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def add(self, said: Mapping[str, Any], *, who: str) -> str:
        """Keep a new line; return its id. `said` is a `PriceForm`, and a `reason`.

        Raises:
            InvalidField, MissingField: with the field named.
        """
        form_said, reason = split_reason(said)
        form = PriceForm.read(form_said)
        await self._tenants.refresh()
        self._tenants.check(form)
        price_id = f"price_{secrets.token_hex(8)}"
        dumped = form.model_dump(mode="json", exclude_defaults=True)
        record = record_of({"form": dumped, "created_ms": now_ms()})
        await self._tenants.put(
            Kind.PRICE, price_id, None, record, who=who, action="prices.add", reason=reason
        )
        return price_id

    async def remove(self, price_id: str, *, who: str, reason: str = "") -> None:
        """Take a line out: what is admitted from now on is priced without it.

        Raises:
            NotFound: there is no such line that is kept.
            Conflict: somebody else took it out just now.
        """
        await self._tenants.refresh()
        record = self._tenants.records[Kind.PRICE].get(price_id)
        if record is None:
            raise NotFound("there is no such price")
        put = await self._tenants.put(
            Kind.PRICE,
            price_id,
            record,
            None,
            who=who,
            action="prices.remove",
            reason=checked_reason(reason),
        )
        if put is None:
            raise overtaken(f"price {price_id}")

"""What an operator does to others who may use the admin plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.domain.account_form import among
from gateway.domain.errors import Conflict, NotFound
from gateway.domain.operators import KEY_PREFIX, new_operator_id
from gateway.domain.ports import Tenants
from gateway.domain.team import new_key
from gateway.domain.tenant_form import OperatorForm
from gateway.domain.tenant_record import Kind, record_of
from gateway.lifecycle.account_changes import checked_reason, split_reason
from gateway.lifecycle.kept_form import now_ms, overtaken, refuse_past
from gateway.lifecycle.key_changes import NewKey, kept_secret


class OperatorChanges:
    """One method for each thing that can be done; `who` and `reason` go into the audit."""

    def __init__(self, tenants: Tenants) -> None:
        self._tenants = tenants

    async def add(self, said: Mapping[str, Any], *, who: str) -> NewKey:
        """Keep a new operator. `said` is an `OperatorForm`, and a `reason`.

        Raises:
            InvalidField, MissingField: with the field named.
            Conflict: there is one of that name, or its team was taken out just now.
        """
        form_said, reason = split_reason(said)
        form = OperatorForm.read(form_said)
        refuse_past(form)
        await self._tenants.refresh()
        if form.team is not None:
            among("team", form.team, self._tenants.teams)
        if form.name in {operator.name for operator in self._tenants.operators.values()}:
            raise Conflict(f"there is an operator {form.name} already", param="name")
        key = NewKey(new_operator_id(), new_key(KEY_PREFIX))
        put = await self._tenants.put(
            Kind.OPERATOR,
            key.id,
            None,
            _record(form, key.secret),
            who=who,
            action="operators.add",
            reason=reason,
        )
        if put is None:
            raise overtaken("its team")
        return key

    async def remove(self, operator_id: str, *, who: str, reason: str = "") -> None:
        """Take one out: its key opens nothing any more, and its sessions end.

        Raises:
            NotFound: there is no such operator.
            Conflict: somebody else changed it just now.
        """
        await self._tenants.refresh()
        record = self._tenants.records[Kind.OPERATOR].get(operator_id)
        if record is None:
            raise NotFound("there is no such operator")
        put = await self._tenants.put(
            Kind.OPERATOR,
            operator_id,
            record,
            None,
            who=who,
            action="operators.remove",
            reason=checked_reason(reason),
        )
        if put is None:
            raise overtaken(f"operator {operator_id}")


def _record(form: OperatorForm, secret: str) -> str:
    said = {
        "name": form.name,
        "role": form.role,
        "team": form.team,
        "secrets": [kept_secret(secret)],
        "created_ms": now_ms(),
        "expires_ms": form.expires_ms,
    }
    return record_of({field: value for field, value in said.items() if value is not None})

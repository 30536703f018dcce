"""What changes of teams, keys, prices and operators have in common: how a form that is kept is
changed, and how who was overtaken is told so."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any

from gateway.domain.account_form import not_a_field
from gateway.domain.errors import Conflict, InvalidField
from gateway.domain.tenant_form import KeyForm, OperatorForm, TeamForm


def changed(
    said: Mapping[str, Any],
    changes: Mapping[str, Any],
    form: type[TeamForm | KeyForm],
    fixed: Mapping[str, str],
) -> dict[str, Any]:
    """The whole form as it is to be: null takes a field back to its default.

    `fixed` fields cannot be changed; each says what to do instead.

    Raises:
        InvalidField: a field that there is not, or that is fixed.
    """
    for field in changes:
        if field in fixed:
            raise InvalidField(f"{field} cannot be changed: {fixed[field]}", param=field)
        refuse_unknown(field, form.model_fields.keys() - fixed.keys(), form.WHAT)
    return {name: value for name, value in {**said, **changes}.items() if value is not None}


def refuse_unknown(field: str, fields: Collection[str], what: str) -> None:
    """Refuse what is no field that can be said here.

    Raises:
        InvalidField: with the one that was probably meant.
    """
    if field not in fields:
        raise not_a_field(field, [*sorted(fields), "reason"], what)


def refuse_past(form: TeamForm | KeyForm | OperatorForm) -> None:
    """Refuse an end that is over already: nobody means that, and to block is another thing.

    Raises:
        InvalidField: naming the field.
    """
    if form.expires_at is not None and form.expires_at.timestamp() <= time.time():
        raise InvalidField("expires_at is over already: give a time to come", param="expires_at")


def now_ms() -> int:
    return round(time.time() * 1000)


def overtaken(what: str) -> Conflict:
    return Conflict(f"{what} was changed just now by somebody else; look at it again")

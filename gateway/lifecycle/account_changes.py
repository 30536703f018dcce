"""What an operator does to accounts while the gateway runs, through the API or at the keyboard.

Each step reads the accounts anew, judges what was said, and writes it if nobody was faster. Who was
slower is told so: nothing is tried again in silence, since it was said of what is there no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.domain.account import AccountState, ApiKey, CannotOpen, KeptAccount, Source
from gateway.domain.account_form import AccountForm, not_a_field
from gateway.domain.errors import Conflict, InvalidField, NotFound
from gateway.domain.ports import Accounts

_CHANGEABLE = ("tier", "limit", "limits", "models", "weight", "costs_fen", "base_url")
_KEYS = ("api_keys", "add_keys", "remove_keys")
_LONGEST_REASON = 500


class AccountChanges:
    """One method for each thing that can be done; `who` and `reason` go into the audit."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def add(self, said: Mapping[str, Any], *, who: str) -> str:
        """Keep a new account; return its name. `said` is an `AccountForm`, and a `reason`.

        Raises:
            InvalidField, MissingField: with the field named; no value is quoted.
            Conflict: there is one of that name, or one that has one of these keys.
        """
        form_said, reason = split_reason(said)
        form = AccountForm.read(form_said)
        await self._accounts.refresh()
        self.refuse_taken_name(form.name)
        self._refuse_taken_keys(form)
        await self.put_new(form, who=who, reason=reason)
        return form.name

    async def put_new(self, form: AccountForm, *, who: str, reason: str) -> None:
        """Keep a new account that was judged already.

        Raises:
            Conflict: there is one of that name by now.
        """
        if not await self._accounts.put(form, None, who=who, action="accounts.add", reason=reason):
            raise Conflict(f"there is an account {form.name} already", param="name")

    async def change(self, name: str, changes: Mapping[str, Any], *, who: str) -> None:
        """Change what is named and nothing else; null takes a field back to its default.

        `tier` and `limit` take the place of one another. `api_keys` replaces all keys; `add_keys`
        and `remove_keys` (by id) change some.

        Raises:
            NotFound: there is no such account.
            InvalidField, MissingField: with the field named; no value is quoted.
            Conflict: it is of the settings, somebody else changed it just now, one of the keys is
                another account's, or the keys that it has cannot be read.
        """
        changes, reason = split_reason(changes)
        for field in changes:
            if field not in _CHANGEABLE + _KEYS:
                raise _not_changeable(field)
        await self._accounts.refresh()
        kept = self.changeable(name)
        form = AccountForm.read(self._changed(kept, changes))
        self._refuse_taken_keys(form)
        if not await self._accounts.put(form, kept, who=who, action="accounts.set", reason=reason):
            raise _overtaken(name)

    async def remove(self, name: str, *, who: str, reason: str = "") -> None:
        """Take a kept account out, once no task holds a slot of it.

        Raises:
            NotFound: there is no such account.
            Conflict: it is of the settings, its slots are in use, or it was changed just now.
        """
        await self._accounts.refresh()
        kept = self._accounts.kept.get(name)
        if kept is None:
            kept = self.changeable(name)
        gone, held = await self._accounts.remove(kept, who=who, reason=checked_reason(reason))
        if held:
            raise Conflict(
                f"tasks hold {held} of its slots: drain it first (gateway accounts drain {name}), "
                "and remove it when it is drained"
            )
        if not gone:
            raise _overtaken(name)

    async def set_state(
        self, name: str, state: AccountState | None, *, who: str, reason: str = ""
    ) -> None:
        """Pause or drain an account, of the settings as well; None lets it go on at once.

        Raises:
            NotFound: there is no such account.
            Conflict: it is of the settings, and no gateway was started with them yet.
        """
        await self._accounts.refresh()
        reason = checked_reason(reason)
        if not await self._accounts.set_state(name, state, who=who, reason=reason):
            if self._accounts.get(name) is not None:
                raise Conflict(f"account {name} is not in the pool yet: start the gateway first")
            raise NotFound("there is no such account")

    def changeable(self, name: str) -> KeptAccount:
        """The kept account of this name.

        Raises:
            NotFound, Conflict: there is none, or the settings have one of this name.
        """
        account = self._accounts.get(name)
        if account is not None and account.source is Source.SETTINGS:
            raise Conflict(
                f"account {name} is in the settings: change it there "
                "(GATEWAY_ACCOUNTS, or accounts in gateway.yaml), and restart"
            )
        if name not in self._accounts.kept:
            raise NotFound("there is no such account")
        return self._accounts.kept[name]

    def refuse_taken_name(self, name: str) -> None:
        if self._accounts.get(name) is not None or name in self._accounts.kept:
            raise Conflict(f"there is an account {name} already", param="name")

    def key_owners(self) -> dict[str, str]:
        """By key id, the account that has it."""
        kept = {k["id"]: a.name for a in self._accounts.kept.values() for k in a.keys}
        in_use = {key.id: a.name for a in self._accounts.values() for key in a.api_keys}
        return kept | in_use

    def _refuse_taken_keys(self, form: AccountForm) -> None:
        """A key of two accounts would be counted twice and limited once."""
        owners = self.key_owners()
        for i, key in enumerate(form.api_keys):
            owner = owners.get(ApiKey(key.get_secret_value()).id, form.name)
            if owner != form.name:
                raise Conflict(
                    f"api_keys.{i} is a key of account {owner} already", param=f"api_keys.{i}"
                )

    def _changed(self, kept: KeptAccount, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The whole form as it is to be."""
        said = kept.said
        for one, other in (("tier", "limit"), ("limit", "tier")):
            if changes.get(one) is not None:
                said.pop(other, None)
        for field in _CHANGEABLE:
            if field in changes:
                said[field] = changes[field]
        said = {field: value for field, value in said.items() if value is not None}
        return said | {"api_keys": self._changed_keys(kept, changes)}

    def _changed_keys(self, kept: KeptAccount, changes: Mapping[str, Any]) -> list[str]:
        if changes.get("api_keys") is not None:
            if changes.get("add_keys") or changes.get("remove_keys"):
                raise InvalidField(
                    "api_keys replaces all keys: give either it, or add_keys and remove_keys",
                    param="api_keys",
                )
            return _texts("api_keys", changes["api_keys"])
        try:
            keys = self._accounts.keys_of(kept)
        except CannotOpen as error:
            raise Conflict(
                f"the keys of {kept.name} cannot be read ({error}): give all of them anew, "
                "as api_keys"
            ) from None
        leave = _texts("remove_keys", changes.get("remove_keys") or [])
        if set(leave) - {key.id for key in keys}:
            listed = ", ".join(key.id for key in keys)
            raise InvalidField(
                f"remove_keys must be ids of its keys, which are {listed}", param="remove_keys"
            )
        stay = [key.secret for key in keys if key.id not in leave]
        return stay + _texts("add_keys", changes.get("add_keys") or [])


def split_reason(said: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """What was said without the reason, and the reason.

    Raises:
        InvalidField: the reason is none.
    """
    rest = {field: value for field, value in said.items() if field != "reason"}
    return rest, checked_reason(said.get("reason"))


def checked_reason(reason: object) -> str:
    """Why an operator does it, in one line; may be empty.

    Raises:
        InvalidField: it is no text, or too long.
    """
    if reason is None:
        return ""
    if not isinstance(reason, str) or len(reason) > _LONGEST_REASON:
        raise InvalidField(
            f"reason must be a text of at most {_LONGEST_REASON} characters", param="reason"
        )
    reason = " ".join(reason.split())
    if not reason.isprintable():
        raise InvalidField("reason must be a text that can be printed", param="reason")
    return reason


def _texts(field: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidField(f"{field} must be a list of strings", param=field)
    return value


def _not_changeable(field: str) -> InvalidField:
    if field in ("name", "provider"):
        return InvalidField(f"{field} cannot be changed: add another account", param=field)
    return not_a_field(field, _CHANGEABLE + _KEYS + ("reason",))


def _overtaken(name: str) -> Conflict:
    return Conflict(f"account {name} was changed just now by somebody else; look at it again")

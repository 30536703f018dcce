"""Many keys at once: a line each, as `KEY` or `NAME KEY`; `#` begins a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.domain.account import ApiKey
from gateway.domain.account_form import WHAT_A_NAME_IS, AccountForm, is_api_key, is_name
from gateway.domain.errors import Conflict, InvalidField
from gateway.domain.ports import Accounts
from gateway.lifecycle.account_changes import AccountChanges, split_reason

PREFIX = "account-"
# Of the vendors' keys all are longer, so that none becomes a name, which everybody can read.
_LONGEST_NAME = 32


@dataclass(frozen=True, slots=True)
class Skipped:
    """A key that is there already, or that stands in an earlier line."""

    line: int
    account: str | None
    """Whose it is already; None for one that stands in an earlier line."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the lines."""

    made: dict[str, int]
    """New accounts, with how many keys each."""
    added: dict[str, int]
    """Accounts that were there, with how many keys more."""
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    name: str | None
    key: ApiKey


class AccountImport:
    """Reads all lines before it writes anything: one bad line, and nothing is made."""

    def __init__(self, accounts: Accounts, changes: AccountChanges) -> None:
        self._accounts = accounts
        self._changes = changes

    async def run(
        self,
        text: str,
        said: Mapping[str, Any],
        *,
        into: str | None = None,
        prefix: str = PREFIX,
        who: str,
    ) -> Imported:
        """Make accounts of these keys: one of each, named by its line or numbered on after
        `prefix`; or `into` one account, new or there. `said` is what else their forms say.

        Raises:
            InvalidField, MissingField: all bad lines, by number and cause; or a field of the form.
            NotFound, Conflict: as a single change.
        """
        said, reason = split_reason(said)
        for field, name in (("into", into), ("prefix", f"{prefix}1")):
            if name is not None and not is_name(name):
                raise InvalidField(f"{field} {WHAT_A_NAME_IS}", param=field)
        await self._accounts.refresh()
        lines, skipped = self._sorted_out(_read(text), into)
        groups: dict[str, list[str]] = {}
        names = self._free_names(prefix, {line.name for line in lines})
        for line in lines:
            groups.setdefault(into or line.name or next(names), []).append(line.key.secret)
        if into is not None and into in groups and self._is_there(into):
            return await self._add_keys(into, groups[into], said, skipped, reason, who)
        forms = [
            AccountForm.read({**said, "name": name, "api_keys": keys})
            for name, keys in groups.items()
        ]
        for form in forms:
            self._accounts.check(form)
        made: dict[str, int] = {}
        for form in forms:
            await self._put(form, made, who, reason)
        return Imported(made, {}, skipped)

    async def _put(self, form: AccountForm, made: dict[str, int], who: str, reason: str) -> None:
        try:
            await self._changes.put_new(form, who=who, reason=reason)
        except Conflict as error:
            raise Conflict(
                f"{error.message}, made by somebody else just now; {len(made)} accounts were made "
                "before that. Import the same again: what is there is skipped"
            ) from None
        made[form.name] = len(form.api_keys)

    async def _add_keys(
        self,
        name: str,
        keys: list[str],
        said: Mapping[str, Any],
        skipped: tuple[Skipped, ...],
        reason: str,
        who: str,
    ) -> Imported:
        if said:
            field = next(iter(said))
            raise InvalidField(
                f"account {name} is there: an import only adds keys to it; change {field} by itself"
                if field in AccountForm.model_fields
                else "an import only adds keys to an account that is there",
                param="into",
            )
        await self._changes.change(name, {"add_keys": keys, "reason": reason}, who=who)
        return Imported({}, {name: len(keys)}, skipped)

    def _sorted_out(
        self, read: Iterable[_Line | str], into: str | None
    ) -> tuple[list[_Line], tuple[Skipped, ...]]:
        """The lines that make something, and those that are skipped."""
        owners, faults, skipped = self._changes.key_owners(), [], []
        fresh: dict[str, _Line] = {}
        for line in read:
            if isinstance(line, str):
                faults.append(line)
            elif line.key.id in owners:
                skipped.append(Skipped(line.number, owners[line.key.id]))
            elif line.key.id in fresh:
                skipped.append(Skipped(line.number, None))
            elif fault := self._fault(line, into):
                faults.append(f"line {line.number}: {fault}")
            else:
                fresh[line.key.id] = line
        if faults:
            raise InvalidField(f"nothing was imported: {'; '.join(faults)}", param="lines")
        if not fresh and not skipped:
            raise InvalidField("lines has no key; give one a line", param="lines")
        return list(fresh.values()), tuple(skipped)

    def _fault(self, line: _Line, into: str | None) -> str | None:
        if line.name is None:
            return None
        if into is not None:
            return None if line.name == into else "names an account, but all keys go into one"
        if self._is_there(line.name):
            return "there is an account of that name already; to add keys to it, say into"
        return None

    def _is_there(self, name: str) -> bool:
        return self._accounts.get(name) is not None or name in self._accounts.kept

    def _free_names(self, prefix: str, taken: set[str | None]) -> Iterator[str]:
        """Names that are numbered on from the highest number there is."""
        there = {*self._accounts.kept, *(a.name for a in self._accounts.values()), *taken}
        found = (re.fullmatch(rf"{re.escape(prefix)}(\d{{1,9}})", name) for name in there if name)
        number = max((int(match[1]) for match in found if match), default=0)
        while True:
            number += 1
            yield f"{prefix}{number}"


def _read(text: str) -> Iterator[_Line | str]:
    """Each line that says something: what it says, or what is wrong with it."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        parts = [part for part in re.split(r"[\s,]+", line) if part]
        if not parts or parts[0].startswith("#"):
            continue
        name = parts[0] if len(parts) == 2 else None
        if len(parts) > 2:
            yield f"line {number}: has more than a name and a key"
        elif name is not None and len(name) > _LONGEST_NAME:
            yield f"line {number}: a name of over {_LONGEST_NAME} characters; it must come first"
        elif name is not None and not is_name(name):
            yield f"line {number}: the name {WHAT_A_NAME_IS}"
        elif not is_api_key(parts[-1]):
            yield f"line {number}: the key must be up to 512 printable ASCII characters"
        else:
            yield _Line(number, name, ApiKey(parts[-1]))

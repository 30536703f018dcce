"""The accounts as this process knows them: those of the settings, and those kept in the store.

Of one name, the settings' account is in use. Whatever changes the kept ones tells all processes;
whoever did not hear it sees by the version, at the latest after `_REFRESH_SECONDS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping

from gateway.domain.account import (
    Account,
    AccountState,
    ApiKey,
    CannotOpen,
    KeptAccount,
    OperatorState,
    Source,
)
from gateway.domain.account_form import AccountForm, AccountTerms
from gateway.domain.errors import Conflict, GatewayError, StoreUnavailable
from gateway.store.connection import AUDIT_ENTRIES, Store
from gateway.store.encryption import Cipher
from gateway.store.lanes import LaneRules

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 2.0


class AccountStore(Mapping[str, Account]):
    """A live mapping by name: what is read from it is true now, as far as this process knows.

    Fits the port `Accounts`.
    """

    def __init__(
        self,
        store: Store,
        read_cipher: Callable[[], Cipher],
        terms: AccountTerms,
        lanes: LaneRules,
        of_settings: Mapping[str, Account],
    ) -> None:
        """`read_cipher` reads the secrets anew: those in a file may have been rotated."""
        self._store = store
        self._read_cipher = read_cipher
        self._cipher = read_cipher()
        self._terms = terms
        self._lanes = lanes
        self._of_settings = of_settings
        self._in_use: dict[str, Account] = dict(of_settings)
        self._asked = asyncio.Event()
        self._read = ""
        self.version = "0"
        """Of the kept accounts, as it was read last."""
        self.kept: Mapping[str, KeptAccount] = {}
        self.states: Mapping[str, OperatorState] = {}
        """What operators said of accounts; nothing of those that go on as usual."""
        self.locked: Mapping[str, str] = {}
        """Accounts that cannot be used here, and why."""
        self.unopened: Mapping[str, str] = {}
        """Those of them whose keys are under a secret that this process has not."""

    def __getitem__(self, name: str) -> Account:
        return self._in_use[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._in_use)

    def __len__(self) -> int:
        return len(self._in_use)

    def shadowed(self, name: str) -> bool:
        """Whether a kept account is not in use, because the settings have one of its name."""
        return name in self.kept and name in self._of_settings

    # Reading ---------------------------------------------------------------------------------

    def heard(self) -> None:
        """Something may have changed: read soon."""
        self._asked.set()

    async def run(self) -> None:
        """Stay up to date until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_REFRESH_SECONDS):
                    await self._asked.wait()
            self._asked.clear()
            try:
                await self.refresh()
            except StoreUnavailable:
                continue  # the loops that need the store tell of it
            except Exception:
                log.exception("the accounts could not be read")

    async def refresh(self) -> None:
        """Read the kept accounts and what operators said, if anything changed.

        Raises:
            StoreUnavailable: nothing was read; what was known stays.
        """
        redis, keys = self._store.redis, self._store.keys
        read = redis.pipeline(transaction=True)
        read.get(keys.accounts_version)
        read.hgetall(keys.accounts)
        read.hgetall(keys.account_states)
        version, records, states = await self._store.answer("read_accounts", read.execute())
        self.states = {
            name: OperatorState(**(said | {"state": AccountState(said["state"])}))
            for name, said in ((name, json.loads(text)) for name, text in states.items())
        }
        if (version or "0") == self._read and not self.locked:
            return
        before = self.kept
        self.kept = {name: KeptAccount(name, record) for name, record in records.items()}
        self._take_in(before)
        self._read = self.version = version or "0"

    def _take_in(self, before: Mapping[str, KeptAccount]) -> None:
        in_use = dict(self._of_settings)
        locked: dict[str, str] = {}
        unopened: dict[str, str] = {}
        owners = {key.id: a.name for a in self._of_settings.values() for key in a.api_keys}
        for name, kept in sorted(self.kept.items()):
            if name in self._of_settings:
                if name not in self._in_use or self._in_use[name].source is not Source.SETTINGS:
                    log.warning(
                        "account %s is in the settings as well: those are in use, also for the "
                        "tasks that run on it",
                        name,
                    )
                continue
            if before.get(name) == kept and name in self._in_use and name not in self.locked:
                in_use[name] = self._in_use[name]  # of a thousand accounts, most stay as they are
                continue
            taken = next((key["id"] for key in kept.keys if key["id"] in owners), None)
            try:
                if taken is not None:
                    raise Conflict(f"key {taken} is account {owners[taken]}'s there")
                in_use[name] = self.opened(kept)
            except CannotOpen as error:
                locked[name] = unopened[name] = str(error)
                if name in self._in_use:
                    in_use[name] = self._in_use[name]  # the keys that we know may still do
                if name not in self.locked:
                    log.error("account %s: %s", name, error)
            except GatewayError as error:
                # A tier that is no longer in the settings, say.
                locked[name] = f"it does not fit the settings: {error}"
                if name not in self.locked:
                    log.error("account %s does not fit the settings: %s", name, error)
        self._in_use, self.locked, self.unopened = in_use, locked, unopened

    def opened(self, kept: KeptAccount) -> Account:
        """A kept account with its keys.

        Raises:
            CannotOpen: one of them is under a secret that is not ours.
            InvalidField: it names what is no longer in the settings.
        """
        keys = [key.secret for key in self.keys_of(kept)]
        form = AccountForm.read(kept.said | {"api_keys": keys})
        return self._terms.account(form, Source.STORE)

    def keys_of(self, kept: KeptAccount) -> list[ApiKey]:
        """The keys of a kept account, also of one that does not fit the settings.

        Raises:
            CannotOpen: one of them is under a secret that is not ours.
        """
        try:
            return [self._cipher.open(key["sealed"], kept.name, key["id"]) for key in kept.keys]
        except CannotOpen:
            self._cipher = self._read_cipher()
            return [self._cipher.open(key["sealed"], kept.name, key["id"]) for key in kept.keys]

    # Changing --------------------------------------------------------------------------------

    def check(self, form: AccountForm) -> None:
        """Refuse what `put` would refuse.

        Raises:
            InvalidField: the form names something that is not there.
        """
        self._terms.check(form)

    async def put(
        self, form: AccountForm, before: KeptAccount | None, *, who: str, action: str, reason: str
    ) -> bool:
        """Keep an account as the form says, in place of what it was; False if it is that no more.

        Raises:
            InvalidField: the form names something that is not there.
            Conflict: another account has one of the keys, tasks that run on it could not be asked
                about any more, or this process encrypts with a secret
                that is out of use by now.
        """
        account = self._terms.account(form, Source.STORE)
        self._cipher = self._read_cipher()
        lanes = self._lanes.of(account)
        record = self._record(form, before)
        word, other = await self._store.run(
            "put_account",
            form.name,
            before.record if before else "",
            record,
            int(before is not None and self._moves(form, before)),
            json.dumps(lanes["lanes"], sort_keys=True),
            lanes["keys"],
            who,
            action,
            _told(before.record) if before else "",
            _told(record),
            reason,
            AUDIT_ENTRIES,
            self._cipher.version,
        )
        if word == "out of use":
            raise Conflict(
                "this process encrypts with a secret that is out of use: restart it with the "
                "secret that is in use now in front, or put this one back into use with: "
                "gateway secrets rotate"
            )
        if word == "taken":
            raise Conflict(f"one of the keys is account {other}'s by now", param="api_keys")
        if word == "in use":
            raise Conflict(
                f"tasks hold {other} of its slots, and could not be asked about at another "
                f"address: drain it first (gateway accounts drain {form.name})",
                param="base_url",
            )
        await self.refresh()
        return bool(word == "kept")

    def _moves(self, form: AccountForm, before: KeptAccount) -> bool:
        """Whether it is to be reached elsewhere than before."""
        provider = before.said.get("provider", AccountForm.model_fields["provider"].default)
        was = before.said.get("base_url") or self._terms.base_urls.get(provider)
        return form.provider != provider or self._terms.base_url_of(form) != was

    async def remove(self, kept: KeptAccount, *, who: str, reason: str) -> tuple[bool, int]:
        """Whether it is gone; if not, and not changed meanwhile, how many slots its tasks hold."""
        gone, held = await self._store.run(
            "remove_account",
            kept.name,
            kept.record,
            who,
            "accounts.remove",
            _told(kept.record),
            reason,
            AUDIT_ENTRIES,
        )
        await self.refresh()
        return bool(gone), held

    async def set_state(
        self, name: str, state: AccountState | None, *, who: str, reason: str
    ) -> bool:
        """Pause or drain an account, or let it go on (None); False if there is none."""
        before = self.states.get(name)
        said = {"state": state, "reason": reason, "who": who}
        action = {AccountState.PAUSED: "pause", AccountState.DRAINING: "drain", None: "resume"}
        done = await self._store.run(
            "set_account_state",
            name,
            json.dumps(said, ensure_ascii=False) if state else "",
            who,
            f"accounts.{action[state]}",
            before.state if before else "active",
            state or "active",
            reason,
            AUDIT_ENTRIES,
        )
        await self.refresh()
        return bool(done)

    async def reseal(self) -> int:
        """Encrypt every key anew that is not under the first secret; how many that were.

        Raises:
            CannotOpen: one is under a secret that is not ours. Those before it are done.
        """
        await self._retire_old_secrets()
        await self.refresh()
        count = 0
        for name in list(self.kept):
            while any(not self._cipher.is_newest(key["sealed"]) for key in self.kept[name].keys):
                kept = self.kept[name]
                keys = [
                    key | {"sealed": self._resealed(name, key["sealed"], key["id"])}
                    for key in kept.keys
                ]
                record = _json(kept.said | {"keys": keys})
                if await self._store.run("reseal_account", name, kept.record, record):
                    count += sum(not self._cipher.is_newest(key["sealed"]) for key in kept.keys)
                await self.refresh()
                if name not in self.kept:
                    break
        return count

    async def _retire_old_secrets(self) -> None:
        """From here on nobody can keep anything under them: what was kept before can be seen."""
        retire = self._store.redis.pipeline(transaction=True)
        retire.srem(self._store.keys.retired, self._cipher.version)
        if self._cipher.older_versions:
            retire.sadd(self._store.keys.retired, *self._cipher.older_versions)
        await self._store.answer("retire_secrets", retire.execute())

    def left_under_old_secrets(self) -> int:
        """How many kept keys, as they were read last, are not under the first secret."""
        return sum(
            not self._cipher.is_newest(key["sealed"])
            for kept in self.kept.values()
            for key in kept.keys
        )

    def _resealed(self, account: str, sealed: str, key_id: str) -> str:
        if self._cipher.is_newest(sealed):
            return sealed
        return self._cipher.seal(self._cipher.open(sealed, account, key_id), account)

    def _record(self, form: AccountForm, before: KeptAccount | None) -> str:
        """The form as it is kept: keys that were there stay sealed as they were."""
        sealed = {key["id"]: key["sealed"] for key in before.keys} if before else {}
        keys = []
        for key in (ApiKey(secret.get_secret_value()) for secret in form.api_keys):
            text = sealed.get(key.id) or self._cipher.seal(key, form.name)
            keys.append({"id": key.id, "hint": key.hint, "sealed": text})
        said = form.model_dump(exclude={"api_keys"}, exclude_defaults=True)
        return _json(said | {"name": form.name, "keys": keys})


def _told(record: str) -> str:
    """A record as the audit has it: of the keys, their ids alone."""
    said = json.loads(record)
    return _json(said | {"keys": [key["id"] for key in said["keys"]]})


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

"""The teams, their keys, the price book and the operators as this process knows them: those of the
settings, and those kept in the store.

Of one team name the settings' is in use. Whatever changes the kept ones tells all processes;
whoever did not hear it sees by the version, at the latest after `_REFRESH_SECONDS`. So a key that
was revoked opens nothing anywhere after that, and no request asks the store who calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.account import Source
from gateway.domain.account_form import among
from gateway.domain.errors import (
    AuthenticationFailed,
    Blocked,
    Conflict,
    ExpiredApiKey,
    GatewayError,
    InvalidField,
    StoreUnavailable,
)
from gateway.domain.operators import Operator, Role
from gateway.domain.prices import Price, PriceBook
from gateway.domain.team import Caller, Standing, Team, TeamKey, key_digest, key_hint
from gateway.domain.tenant_form import KeyForm, PriceForm, TeamForm, TenantTerms
from gateway.domain.tenant_record import Kind, record_of
from gateway.store.connection import AUDIT_ENTRIES, Store

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class _Secret:
    """One that opens something, by its digest; until when, if it was rotated out."""

    owner: str
    until_ms: int | None = None

    def over(self, now_ms: float) -> bool:
        return self.until_ms is not None and self.until_ms <= now_ms


@dataclass(frozen=True, slots=True)
class _Known:
    """Everything at one version."""

    teams: Mapping[str, Team]
    keys: Mapping[str, TeamKey]
    key_secrets: Mapping[str, _Secret]
    """By digest."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    book: PriceBook = field(default_factory=PriceBook)
    operators: Mapping[str, Operator] = field(default_factory=dict)
    operator_secrets: Mapping[str, _Secret] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Kept ones that do not fit the settings, and why: they are not in use."""


class TenantStore:
    """Finds who calls by what they show, and keeps what operators say of tenants.

    Fits the ports `Directory` and `Tenants`. Holds digests, never keys.
    """

    def __init__(
        self,
        store: Store,
        terms: TenantTerms,
        teams: Iterable[Team],
        keys: Mapping[str, str],
        prices: Iterable[Price] = (),
    ) -> None:
        """`teams`, `keys` (secret -> team) and `prices` are those of the settings."""
        self._store = store
        self._terms = terms
        self._of_settings = {team.name: team for team in teams}
        self._setting_prices = tuple(prices)
        self._setting_keys = {
            key_digest(key): _of_settings(key, team) for key, team in keys.items()
        }
        self.records: Mapping[Kind, Mapping[str, str]] = {kind: {} for kind in Kind}
        """By kind and name or id, what is kept, as it was read."""
        self._known = self._taken_in()
        self._asked = asyncio.Event()
        self.version = "0"
        """Of what is kept, as it was read last."""

    # Who calls -------------------------------------------------------------------------------

    def authenticate(self, key: str) -> Caller:
        """Whose key it is.

        Raises:
            AuthenticationFailed: nobody's, or it has expired.
            Blocked: an operator blocked the key or its team.
        """
        known, now_ms = self._known, time.time() * 1000
        # Compared by digest, so how long a look-up takes tells nothing about the keys kept here.
        secret = known.key_secrets.get(key_digest(key))
        if secret is None or secret.over(now_ms):
            raise AuthenticationFailed("this API key is not known here")
        team_key = known.keys[secret.owner]
        team = known.teams[team_key.team]
        for what, permit in (("API key", team_key.permit), ("team", team.permit)):
            standing = permit.standing(now_ms)
            if standing is Standing.EXPIRED:
                raise ExpiredApiKey(f"this {what} has expired")
            if standing is Standing.BLOCKED:
                raise Blocked(f"this {what} is blocked; ask whoever runs the gateway")
        return Caller(team, team_key)

    def operator_of(self, key: str) -> Operator | None:
        """Whose admin key it is; None if it is nobody's, or has expired."""
        secret = self._known.operator_secrets.get(key_digest(key))
        if secret is None or secret.over(time.time() * 1000):
            return None
        return self.operator(secret.owner)

    def operator(self, operator_id: str) -> Operator | None:
        """The operator of this id, unless its time is over."""
        operator = self._known.operators.get(operator_id)
        expires_ms = operator.expires_ms if operator else None
        return None if expires_ms is not None and expires_ms <= time.time() * 1000 else operator

    # What there is ---------------------------------------------------------------------------

    @property
    def teams(self) -> Mapping[str, Team]:
        return self._known.teams

    @property
    def keys(self) -> Mapping[str, TeamKey]:
        """By id."""
        return self._known.keys

    @property
    def prices(self) -> Mapping[str, Price]:
        """The kept lines of the price book, by id."""
        return self._known.prices

    @property
    def setting_prices(self) -> tuple[Price, ...]:
        return self._setting_prices

    @property
    def book(self) -> PriceBook:
        """All its lines: those of the settings, then the kept ones in the order of their making."""
        return self._known.book

    @property
    def operators(self) -> Mapping[str, Operator]:
        return self._known.operators

    @property
    def unfit(self) -> Mapping[str, str]:
        """What is kept and not in use, by kind and name, and why."""
        return self._known.unfit

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
                log.exception("the teams and keys could not be read")

    async def refresh(self) -> None:
        """Read what is kept, if anything changed.

        Raises:
            StoreUnavailable: nothing was read; what was known stays.
        """
        redis, keys = self._store.redis, self._store.keys
        version = await self._store.answer("read_tenants", redis.get(keys.tenants_version)) or "0"
        if version == self.version:
            return
        read = redis.pipeline(transaction=True)
        read.get(keys.tenants_version)
        for name in (keys.teams, keys.team_keys, keys.prices, keys.operators):
            read.hgetall(name)
        version, *hashes = await self._store.answer("read_tenants", read.execute())
        self.records = dict(zip(Kind, hashes, strict=True))
        known = self._taken_in()
        for what in known.unfit.keys() - self._known.unfit.keys():
            log.error("%s does not fit the settings: %s", what, known.unfit[what])
        self._known, self.version = known, version or "0"

    def _taken_in(self) -> _Known:
        """What the settings and the records come to."""
        unfit: dict[str, str] = {}
        teams = dict(self._of_settings)
        for name, record in self.records[Kind.TEAM].items():
            if name in self._of_settings:
                unfit[f"team {name}"] = "the settings have one of this name, which is in use"
                continue
            with _unless_unfit(f"team {name}", unfit):
                teams[name] = self._terms.team(TeamForm.read(json.loads(record)), Source.STORE)
        keys, secrets = {}, {}
        for digest, key in self._setting_keys.items():
            keys[key.id], secrets[digest] = key, _Secret(key.id)
        for key_id, record in self.records[Kind.KEY].items():
            with _unless_unfit(f"key {key_id}", unfit):
                key, its_secrets = _key(key_id, json.loads(record)), _secrets(key_id, record)
                if key.team not in teams:
                    unfit[f"key {key_id}"] = f"there is no team {key.team}"
                    continue
                keys[key_id] = key
                secrets |= its_secrets
        by_age: list[tuple[int, str, Price]] = []
        for price_id, record in self.records[Kind.PRICE].items():
            with _unless_unfit(f"price {price_id}", unfit):
                said = json.loads(record)
                by_age.append((said["created_ms"], price_id, PriceForm.read(said["form"]).price))
        prices = {
            price_id: price for _, price_id, price in sorted(by_age, key=lambda each: each[:2])
        }
        operators: dict[str, Operator] = {}
        operator_secrets: dict[str, _Secret] = {}
        for operator_id, record in self.records[Kind.OPERATOR].items():
            with _unless_unfit(f"operator {operator_id}", unfit):
                its_secrets = _secrets(operator_id, record)
                operators[operator_id] = _operator(operator_id, json.loads(record))
                operator_secrets |= its_secrets
        book = PriceBook((*self._setting_prices, *prices.values()))
        return _Known(teams, keys, secrets, prices, book, operators, operator_secrets, unfit)

    # Changing --------------------------------------------------------------------------------

    def check(self, form: TeamForm | KeyForm | PriceForm) -> None:
        """Refuse what names something that is not there.

        Raises:
            InvalidField: naming the field, and what there is.
        """
        if isinstance(form, PriceForm):
            self._terms.check_price(form)
        else:
            self._terms.check(form)
        if not isinstance(form, TeamForm) and form.team is not None:
            if not self.teams:
                raise InvalidField("team: there is none yet; make it first", param="team")
            among("team", form.team, self.teams)

    async def put(
        self,
        kind: Kind,
        name: str,
        before: str | None,
        record: str | None,
        *,
        who: str,
        action: str,
        reason: str,
    ) -> int | None:
        """Keep a record, in place of what it was (None: nothing); None takes it out.

        Returns how many keys went with a team that was taken out; None if the record is no longer
        what it was before, or if the team of a key or an operator is gone.

        Raises:
            Conflict: a team that is to be taken out has tasks that wait or are in flight.
        """
        cap = weight = ""
        if kind is Kind.TEAM and name not in self._of_settings:
            cap = weight = "0"
            if record is not None:
                team = self._terms.team(TeamForm.read(json.loads(record)), Source.STORE)
                cap, weight = str(team.cap), f"{team.weight:g}"
        word, count = await self._store.run(
            "put_tenant",
            kind,
            name,
            before or "",
            record or "",
            cap,
            weight,
            self._needs(kind, record),
            who,
            action,
            told(before),
            told(record),
            reason,
            AUDIT_ENTRIES,
        )
        await self.refresh()
        if word == "in use":
            raise Conflict(
                f"team {name} has {count} tasks that wait or are in flight: block it first, and "
                "take it out when they are over"
            )
        return int(count) if word == "kept" else None

    def _needs(self, kind: Kind, record: str | None) -> str:
        """The kept team without which there can be no such key, price or operator."""
        if kind is Kind.TEAM or record is None:
            return ""
        said = json.loads(record)
        team = said.get("form", said).get("team") or ""
        return "" if team in self._of_settings else team


def told(record: str | None) -> str:
    """A record as the audit has it: digests of secrets are nobody's business."""
    if record is None:
        return ""
    said = json.loads(record)
    if "secrets" in said:
        said["secrets"] = [each["hint"] for each in said["secrets"]]
    return record_of(said)


def _of_settings(key: str, team: str) -> TeamKey:
    """A key of the settings has its id from its digest: the same in every process, for good."""
    return TeamKey(id=f"key_{key_digest(key)[:16]}", team=team, hint=key_hint(key))


def _key(key_id: str, said: Mapping[str, Any]) -> TeamKey:
    form = KeyForm.read(said["form"])
    hint, created_ms = said["secrets"][0]["hint"], said["created_ms"]
    return form.key(key_id, hint=hint, created_ms=created_ms, source=Source.STORE)


def _operator(operator_id: str, said: Mapping[str, Any]) -> Operator:
    return Operator(
        id=operator_id,
        name=said["name"],
        role=Role(said["role"]),
        team=said.get("team"),
        hint=said["secrets"][0]["hint"],
        created_ms=said["created_ms"],
        expires_ms=said.get("expires_ms"),
    )


def _secrets(owner: str, record: str) -> dict[str, _Secret]:
    kept = json.loads(record)["secrets"]
    return {each["digest"]: _Secret(owner, each.get("until_ms")) for each in kept}


@contextmanager
def _unless_unfit(what: str, unfit: dict[str, str]) -> Iterator[None]:
    """A record that cannot be used, written by a later version perhaps, is told and left out: it
    must not keep this process from seeing that another one was revoked."""
    try:
        yield
    except GatewayError as error:
        unfit[what] = str(error)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        unfit[what] = "its record cannot be read"

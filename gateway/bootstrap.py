"""The composition root: which adapter stands behind each port. It alone has met everybody."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from gateway.domain.account import Account, ApiKey
from gateway.domain.catalog import Catalog, ModelSpec
from gateway.domain.provider_answers import Rest
from gateway.domain.team import Team, TeamDirectory, key_digest
from gateway.lifecycle.admission import Admission
from gateway.lifecycle.background import Background
from gateway.lifecycle.dispatcher import Dispatcher
from gateway.lifecycle.persistence import until_stored
from gateway.lifecycle.poller import LookSchedule, Poller
from gateway.lifecycle.settlement import Settlement
from gateway.providers import PROVIDERS
from gateway.providers.http import open_vendor_http
from gateway.settings import ModelSettings, Settings, WrongSettings
from gateway.store.connection import Store, open_store
from gateway.store.embedded import EmbeddedStore
from gateway.store.slots import SlotStore
from gateway.store.tasks import TaskStore, Timing

log = logging.getLogger(__name__)

_SENDING_MARGIN_SECONDS = 15.0
_LOOK_LEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ledger:
    """The parts that need the store alone: enough to ask who holds what."""

    store: Store
    tasks: TaskStore
    slots: SlotStore
    accounts: dict[str, Account]
    catalog: Catalog
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that is running in this process."""

    ledger: Ledger
    directory: TeamDirectory
    admission: Admission
    dispatcher: Dispatcher
    poller: Poller
    background: Background

    async def configure(self) -> None:
        """Make the pool's limits those of the settings; wait for the store as long as it takes."""
        await until_stored(lambda: self.ledger.slots.configure(self.ledger.teams))


@contextmanager
def store_url(settings: Settings) -> Iterator[str]:
    """The store's URL; where none is set, of the embedded one, which runs meanwhile."""
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
        return
    with EmbeddedStore(settings.data_dir) as embedded:
        yield embedded.url


def admin_key(settings: Settings) -> str:
    """The key of the admin plane. Beside the embedded store one is made at the first start.

    Raises:
        WrongSettings: a shared store and no key: several processes must agree on one.
    """
    if settings.admin_key is not None:
        return settings.admin_key.get_secret_value()
    if settings.redis_url is not None:
        raise WrongSettings(
            "GATEWAY_ADMIN_KEY must be set (or GATEWAY_ADMIN_KEY_FILE) when GATEWAY_REDIS_URL is: "
            "all processes need the same; make one with: openssl rand -hex 32"
        )
    path = settings.data_dir / "admin.key"
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(f"sk-admin-{secrets.token_hex(32)}\n")
        log.info("made an admin key, kept in %s", path)
    except FileExistsError:
        pass
    return path.read_text().strip()


@asynccontextmanager
async def open_ledger(settings: Settings, url: str) -> AsyncIterator[Ledger]:
    """Connect to the store, without touching a limit."""
    catalog = Catalog(_model(model) for model in settings.models)
    accounts = {account.name: account for account in _accounts(settings)}
    async with open_store(url, settings.pool, settings.store_timeout_seconds) as store:
        tasks = TaskStore(store, _timing(settings), accounts, settings.cached_tasks)
        slots = SlotStore(store, accounts, catalog)
        yield Ledger(store, tasks, slots, accounts, catalog, _teams(settings))


@asynccontextmanager
async def open_gateway(settings: Settings, url: str) -> AsyncIterator[Gateway]:
    """Open everything that one process needs. Connects to nothing yet."""
    async with (
        open_ledger(settings, url) as ledger,
        open_vendor_http(settings.submit_timeout_seconds, settings.looks_at_once) as http,
    ):
        settlement = Settlement(ledger.tasks)
        providers = {name: make(http) for name, make in PROVIDERS.items()}
        dispatcher = Dispatcher(
            ledger.tasks,
            settlement,
            providers,
            ledger.accounts,
            first_look_seconds=settings.first_look_seconds,
            key_rest_seconds=settings.key_rest_seconds,
        )
        poller = Poller(
            ledger.tasks,
            settlement,
            dispatcher,
            providers,
            ledger.accounts,
            LookSchedule(settings.first_look_seconds, settings.longest_look_seconds),
            at_once=settings.looks_at_once,
        )
        used = {account.provider for account in ledger.accounts.values()}
        yield Gateway(
            ledger,
            _directory(settings, ledger.teams),
            Admission(ledger.catalog, ledger.tasks, used),
            dispatcher,
            poller,
            Background(ledger.tasks, dispatcher, poller),
        )


def _accounts(settings: Settings) -> Iterator[Account]:
    for account in settings.accounts:
        yield Account(
            name=account.name,
            provider=account.provider,
            base_url=account.base_url,
            limit=account.limit or settings.tiers[account.tier or ""],
            limits=account.limits,
            api_keys=tuple(ApiKey(key.get_secret_value()) for key in account.api_keys),
        )


def _teams(settings: Settings) -> tuple[Team, ...]:
    return tuple(
        Team(name=team.name, limit=settings.tiers[team.tier], weight=team.weight)
        for team in settings.teams
    )


def _directory(settings: Settings, teams: tuple[Team, ...]) -> TeamDirectory:
    digests = {
        key_digest(key.get_secret_value()): team.name
        for team in settings.teams
        for key in team.keys
    }
    return TeamDirectory(teams, digests)


def _model(model: ModelSettings) -> ModelSpec:
    return ModelSpec(
        name=model.name,
        price_fen=model.price_fen,
        limit=model.limit,
        providers=tuple(model.providers),
        qualities=tuple(model.qualities),
        sizes=tuple(model.sizes),
        fps=tuple(model.fps),
        durations_seconds=tuple(model.durations),
        max_images=model.max_images,
        max_prompt_characters=model.max_prompt_characters,
    )


def _timing(settings: Settings) -> Timing:
    return Timing(
        claim_lease=settings.claim_lease_seconds,
        sending_lease=settings.submit_timeout_seconds + _SENDING_MARGIN_SECONDS,
        unknown_hold=settings.unknown_hold_seconds,
        look_lease=_LOOK_LEASE_SECONDS,
        retention=settings.retention_seconds,
        rests={
            Rest.KEY: settings.key_rest_seconds,
            Rest.ACCOUNT: settings.account_rest_seconds,
            Rest.CONCURRENCY: settings.concurrency_rest_seconds,
            Rest.OVERLOAD: settings.overload_rest_seconds,
            Rest.UNREACHABLE: settings.unreachable_rest_seconds,
        },
    )

"""The composition root: which adapter stands behind each port."""

from __future__ import annotations

import contextlib
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
from gateway.providers.http import open_provider_http
from gateway.settings import ModelSettings, Settings, WrongSettings
from gateway.store.connection import open_store, understood
from gateway.store.embedded import EmbeddedStore
from gateway.store.slots import SlotStore
from gateway.store.tasks import TaskStore, Timing

log = logging.getLogger(__name__)

# From the vendor's deadline to giving the outcome up: time to record it over a store that stumbles.
_SENDING_MARGIN_SECONDS = 15.0
# A look may take ten seconds; one that takes longer, with the account's further keys, is at worst
# made twice. Longer, and a stall of the store would leave slots idle that nobody looks after.
_LOOK_LEASE_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Pool:
    """The parts that need the store alone: enough to ask who holds what."""

    tasks: TaskStore
    slots: SlotStore
    accounts: dict[str, Account]
    catalog: Catalog
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that is running in this process."""

    pool: Pool
    directory: TeamDirectory
    admission: Admission
    dispatcher: Dispatcher
    poller: Poller
    background: Background

    async def configure(self) -> None:
        """Make the pool's limits those of the settings; wait for the store as long as it takes."""
        await until_stored(lambda: self.pool.slots.configure(self.pool.teams))


@contextmanager
def store_url(settings: Settings) -> Iterator[str]:
    """The store's URL; where none is set, of the embedded one, which runs meanwhile."""
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        if not understood(url):
            raise WrongSettings("GATEWAY_REDIS_URL has an option that is not understood")
        yield url
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
    if not path.exists():
        # Written whole before it has its name: of two that start at once one makes the key.
        new = path.with_suffix(f".{secrets.token_hex(4)}")
        new.touch(mode=0o600)
        new.write_text(f"sk-admin-{secrets.token_hex(32)}\n")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new)
            log.info("made an admin key, kept in %s", path)
        new.unlink()
    try:
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key:
        raise WrongSettings(f"GATEWAY_ADMIN_KEY: {path} holds no key; remove it, and one is made")
    return key


@asynccontextmanager
async def open_pool(settings: Settings, url: str) -> AsyncIterator[Pool]:
    """Connect to the store, without touching a limit."""
    catalog = Catalog(_model(model) for model in settings.models)
    accounts = {account.name: account for account in _accounts(settings)}
    async with open_store(url, settings.pool, settings.store_timeout_seconds) as store:
        tasks = TaskStore(store, _timing(settings), settings.cached_tasks)
        slots = SlotStore(store, accounts, catalog)
        yield Pool(tasks, slots, accounts, catalog, _teams(settings))


@asynccontextmanager
async def open_gateway(settings: Settings, url: str) -> AsyncIterator[Gateway]:
    """Open everything that one process needs. Connects to nothing yet."""
    async with (
        open_pool(settings, url) as pool,
        open_provider_http(settings.submit_timeout_seconds, settings.looks_at_once) as http,
    ):
        settlement = Settlement(pool.tasks)
        providers = {name: kind.make(http) for name, kind in PROVIDERS.items()}
        dispatcher = Dispatcher(
            pool.tasks,
            settlement,
            providers,
            pool.accounts,
            first_look_seconds=settings.first_look_seconds,
            key_rest_seconds=settings.key_rest_seconds,
        )
        poller = Poller(
            pool.tasks,
            settlement,
            dispatcher,
            providers,
            pool.accounts,
            LookSchedule(settings.first_look_seconds, settings.longest_look_seconds),
            at_once=settings.looks_at_once,
            missing_seconds=settings.missing_seconds,
        )
        used = {account.provider for account in pool.accounts.values()}
        yield Gateway(
            pool,
            _directory(settings, pool.teams),
            Admission(pool.catalog, pool.tasks, used),
            dispatcher,
            poller,
            Background(pool.tasks, dispatcher, poller),
        )


def _accounts(settings: Settings) -> Iterator[Account]:
    for account in settings.accounts:
        provider = _known(f"GATEWAY_ACCOUNTS.{account.name}.provider", account.provider)
        yield Account(
            name=account.name,
            provider=provider,
            base_url=account.base_url or PROVIDERS[provider].base_url,
            limit=account.limit or settings.tiers[account.tier or ""],
            limits=account.limits,
            api_keys=tuple(ApiKey(key.get_secret_value()) for key in account.api_keys),
        )


def _known(setting: str, provider: str) -> str:
    if provider not in PROVIDERS:
        raise WrongSettings(
            f"{setting}: there is no provider {provider}, only {', '.join(PROVIDERS)}"
        )
    return provider


def _teams(settings: Settings) -> tuple[Team, ...]:
    return tuple(
        Team(name=team.name, cap=settings.tiers[team.tier], weight=team.weight)
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
        providers=tuple(_known(f"GATEWAY_MODELS.{model.name}", p) for p in model.providers),
        qualities=tuple(model.qualities),
        sizes=tuple(model.sizes),
        fps=tuple(model.fps),
        durations_seconds=tuple(model.durations),
        max_images=model.max_images,
        max_prompt_characters=model.max_prompt_characters,
    )


def _timing(settings: Settings) -> Timing:
    return Timing(
        claim_lease_seconds=settings.claim_lease_seconds,
        sending_lease_seconds=settings.submit_timeout_seconds + _SENDING_MARGIN_SECONDS,
        unknown_hold_seconds=settings.unknown_hold_seconds,
        look_lease_seconds=_LOOK_LEASE_SECONDS,
        retention_seconds=settings.retention_seconds,
        rest_seconds={
            Rest.KEY: settings.key_rest_seconds,
            Rest.ACCOUNT: settings.account_rest_seconds,
            Rest.CONCURRENCY: settings.concurrency_rest_seconds,
            Rest.OVERLOAD: settings.overload_rest_seconds,
            Rest.UNREACHABLE: settings.unreachable_rest_seconds,
        },
    )

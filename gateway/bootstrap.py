"""The composition root: which adapter stands behind each port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from gateway.api.admin.live import Live
from gateway.domain.account import Account, Preference, Source
from gateway.domain.account_form import AccountTerms
from gateway.domain.catalog import Catalog, ModelSpec
from gateway.domain.errors import InvalidField
from gateway.domain.ports import NOBODY, Journal, Provider
from gateway.domain.provider_answers import Rest
from gateway.domain.submission import QueueBounds
from gateway.domain.team import Team
from gateway.domain.tenant_form import TenantTerms
from gateway.failpoints import Failpoint, Failpoints, Failure
from gateway.lifecycle.account_changes import AccountChanges
from gateway.lifecycle.admission import Admission
from gateway.lifecycle.alarm import Alarm
from gateway.lifecycle.background import Background
from gateway.lifecycle.bookkeeping import Bookkeeping
from gateway.lifecycle.content import Content
from gateway.lifecycle.dispatcher import Dispatcher
from gateway.lifecycle.key_test import KeyTest
from gateway.lifecycle.look_schedule import LookSchedule
from gateway.lifecycle.looks import Looks
from gateway.lifecycle.overview import Overviews
from gateway.lifecycle.persistence import until_stored
from gateway.lifecycle.poller import Poller
from gateway.lifecycle.settlement import Settlement
from gateway.lifecycle.turns import Turns
from gateway.lifecycle.usage_reports import UsageReports
from gateway.lifecycle.waiting import Waiting
from gateway.providers import PROVIDERS
from gateway.providers.http import ProviderHttp, open_provider_http
from gateway.providers.media import open_media
from gateway.settings import ModelSettings, Settings, WrongSettings
from gateway.store.accounts import AccountStore
from gateway.store.capacity import CapacityReader
from gateway.store.connection import Around, Store, open_store, understood
from gateway.store.durations import DurationStore
from gateway.store.embedded import EmbeddedStore
from gateway.store.encryption import Cipher
from gateway.store.events import Events
from gateway.store.health import check_store
from gateway.store.lanes import LaneRules
from gateway.store.ledger import Ledger
from gateway.store.ledger_archive import LedgerArchive
from gateway.store.ledger_files import LedgerFiles
from gateway.store.sessions import SessionStore
from gateway.store.slots import SlotStore
from gateway.store.spending import SpendingReader
from gateway.store.task_search import TaskSearch
from gateway.store.tasks import Rules, TaskStore
from gateway.store.tenants import TenantStore
from gateway.telemetry.counters import Counters
from gateway.telemetry.exposition import Exposition
from gateway.telemetry.journal import Listener, Telling
from gateway.telemetry.life_log import LifeLog
from gateway.telemetry.metrics import Counting
from gateway.telemetry.pool_figures import PoolReader
from gateway.telemetry.sharing import shared_counts
from gateway.telemetry.timing import TimedStore

log = logging.getLogger(__name__)

KEY_FILE = "secret.key"
"""In the data directory, where GATEWAY_SECRET_KEY is not set: a secret a line, the newest first."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The parts that need the store alone: enough to ask who holds what."""

    store: Store
    tasks: TaskStore
    slots: SlotStore
    bounds: QueueBounds
    accounts: AccountStore
    capacity: CapacityReader
    catalog: Catalog
    tenants: TenantStore
    spending: SpendingReader
    sessions: SessionStore
    ledger_files: LedgerFiles
    usage: UsageReports
    search: TaskSearch


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything that is running in this process."""

    pool: Pool
    admission: Admission
    dispatcher: Dispatcher
    poller: Poller
    waiting: Waiting
    content: Content
    events: Events
    durations: DurationStore
    background: Background
    changes: AccountChanges
    key_test: KeyTest
    counting: Counting
    exposition: Exposition
    live: Live

    async def configure(self) -> None:
        """Make the pool's limits those of the settings; wait for the store as long as it takes.

        Raises:
            WrongSettings: the store is set up in a way that loses tasks.
        """
        fault = await until_stored(lambda: check_store(self.pool.store))
        if fault is not None:
            raise WrongSettings(f"GATEWAY_REDIS_URL: {fault}")
        accounts, tenants = self.pool.accounts, self.pool.tenants
        configured = False
        while not configured:  # else what is kept in the store was changed just now
            await until_stored(accounts.refresh)
            await until_stored(tenants.refresh)
            if self.pool.accounts.unopened:
                # Others have the secret: this process must not take their accounts out of the pool.
                name, why = next(iter(self.pool.accounts.unopened.items()))
                raise WrongSettings(f"account {name}, which is kept in the store: {why}")
            configured = await until_stored(
                lambda: self.pool.slots.configure(
                    tenants.teams.values(), accounts.version, tenants.version
                )
            )


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
    return _secret(settings, "admin_key", settings.admin_key, "admin.key", "sk-admin-")


def secret_keys(settings: Settings) -> list[str]:
    """What encrypts account keys kept in the store: the first; the others still decrypt.

    Raises:
        WrongSettings: as `admin_key`.
    """
    secrets_said = _secret(settings, "secret_key", settings.secret_key, KEY_FILE, "")
    return re.split(r"[,\s]+", secrets_said.strip())


def _secret(
    settings: Settings, field: str, said: SecretStr | None, file_name: str, prefix: str
) -> str:
    """A secret that was said; beside the embedded store, one of its own, made once."""
    name = f"GATEWAY_{field.upper()}"
    if said is not None:
        return said.get_secret_value()
    if settings.redis_url is not None:
        raise WrongSettings(
            f"{name} must be set (or {name}_FILE) when GATEWAY_REDIS_URL is: "
            "all processes need the same; make one with: openssl rand -hex 32"
        )
    path = settings.data_dir / file_name
    if not path.exists():
        # Written whole before it has its name: of two that start at once one makes the key.
        new = path.with_suffix(f".{secrets.token_hex(4)}")
        new.touch(mode=0o600)
        new.write_text(f"{prefix}{secrets.token_hex(32)}\n")
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new)
            log.info("made %s", path)
        new.unlink()
    try:
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if not key:
        raise WrongSettings(f"{name}: {path} holds no key; remove it, and one is made")
    return key


@asynccontextmanager
async def open_pool(
    settings: Settings, url: str, *around: Around, journal: Journal = NOBODY
) -> AsyncIterator[Pool]:
    """Connect to the store, without touching a limit. `around` is put around each question to it,
    the last outermost."""
    catalog = Catalog(map(_model, settings.models), settings.expected_seconds)
    terms = _terms(settings, catalog)
    of_settings = {account.name: account for account in _accounts(settings)}
    async with open_store(url, settings.pool, settings.store_timeout_seconds, *around) as store:
        bounds = _bounds(settings)
        tasks = TaskStore(store, _rules(settings), bounds, settings.cached_tasks, journal)
        lanes = LaneRules(
            catalog=catalog,
            unknown_share=settings.unknown_share,
            preference=Preference(settings.prefer),
            provider_order=settings.provider_order,
        )
        accounts = AccountStore(
            store, lambda: Cipher(secret_keys(settings), settings.pool), terms, lanes, of_settings
        )
        slots = SlotStore(store, accounts, lanes)
        capacity = CapacityReader(store, accounts, slots, settings.max_age_seconds)
        tenants = _tenants(settings, store, catalog)
        zone = ZoneInfo(settings.time_zone)
        files = LedgerFiles(settings.ledger_dir or settings.data_dir / "ledger")
        yield Pool(
            store=store,
            tasks=tasks,
            slots=slots,
            bounds=bounds,
            accounts=accounts,
            capacity=capacity,
            catalog=catalog,
            tenants=tenants,
            spending=SpendingReader(store, zone),
            sessions=SessionStore(store),
            ledger_files=files,
            usage=UsageReports(Ledger(store, files), tenants, tasks, zone),
            search=TaskSearch(store, lambda: tenants.teams, settings.max_age_seconds),
        )


@asynccontextmanager
async def read_pool(settings: Settings, url: str) -> AsyncIterator[Pool]:
    """The same for a command, which wants to know the accounts that there are.

    Raises:
        StoreUnavailable: they could not be read.
    """
    async with open_pool(settings, url) as pool:
        await pool.accounts.refresh()
        await pool.tenants.refresh()
        yield pool


@asynccontextmanager
async def open_gateway(settings: Settings, url: str) -> AsyncIterator[Gateway]:
    """Open everything that one process needs. Connects to nothing yet."""
    failpoints = _failpoints(settings)
    watch = [failpoints.at_vendor] if failpoints else []
    counting = Counting()
    fail: list[Around] = [failpoints.around_store] if failpoints else []
    listeners: list[Listener] = [LifeLog(with_prompts=settings.log_prompts), Counters(counting)]
    async with (
        _traces(settings) as traces,
        open_pool(
            settings,
            url,
            *fail,
            TimedStore(counting),
            journal=(journal := Telling(*listeners, *traces)),
        ) as pool,
        open_provider_http(settings.submit_timeout_seconds, settings.looks_at_once, *watch) as http,
        open_media() as media,
    ):
        settlement = Settlement(pool.tasks)
        durations = DurationStore(pool.store, pool.catalog, pool.accounts)
        schedule = _schedule(settings, durations)
        providers = _providers(http)
        alarm = Alarm()

        def accounts_changed() -> None:
            pool.accounts.heard()
            alarm.forget()

        dispatcher = Dispatcher(
            pool.tasks,
            settlement,
            providers,
            pool.accounts,
            pool.accounts.refresh,
            schedule,
            alarm,
            journal,
            send_window_seconds=settings.send_window_seconds,
        )
        looks = Looks(providers, pool.accounts)
        poller = Poller(
            pool.tasks,
            settlement,
            dispatcher,
            looks,
            schedule,
            Turns(settings.looks_per_account, settings.look_lease_seconds / 2),
            journal,
            at_once=settings.looks_at_once,
            missing_seconds=settings.missing_seconds,
        )
        events = Events(
            url,
            pool.store.keys.events,
            changed=pool.tasks.changed,
            perhaps_changed=pool.tasks.perhaps_changed,
            accounts_changed=accounts_changed,
            tenants_changed=pool.tenants.heard,
        )
        yield Gateway(
            pool,
            Admission(
                pool.catalog,
                pool.tasks,
                dispatcher,
                durations,
                {name: kind.cannot_express for name, kind in PROVIDERS.items()},
                pool.accounts,
                pool.tenants,
                ZoneInfo(settings.time_zone),
                journal,
            ),
            dispatcher,
            poller,
            Waiting(pool.tasks, events),
            Content(pool.tasks, looks, media),
            events,
            durations,
            Background(pool.tasks, dispatcher, poller, _bookkeeping(settings, pool), journal),
            AccountChanges(pool.accounts),
            KeyTest(pool.accounts, providers),
            counting,
            Exposition(_pool_reader(settings, pool), counting, shared_counts()),
            _live(pool, durations),
        )


@asynccontextmanager
async def open_key_test(settings: Settings, accounts: AccountStore) -> AsyncIterator[KeyTest]:
    """What a command needs to ask the vendors about keys."""
    async with open_provider_http(settings.submit_timeout_seconds, settings.looks_at_once) as http:
        yield KeyTest(accounts, _providers(http))


@asynccontextmanager
async def _traces(settings: Settings) -> AsyncIterator[list[Listener]]:
    """Whoever keeps traces; nobody where that was not asked for.

    Raises:
        WrongSettings: it was, and the libraries for it are not there.
    """
    if settings.traces_endpoint is None:
        yield []
        return
    try:
        from gateway.telemetry.traces import Traces
    except ImportError:
        raise WrongSettings(
            "GATEWAY_TRACES_ENDPOINT needs the extra otel: "
            "pip install --require-hashes -r requirements-otel.txt"
        ) from None
    traces = Traces(settings.traces_endpoint, _process())
    yield [traces]
    await asyncio.to_thread(traces.close)


def _process() -> str:
    """Names this process to whoever reads of several."""
    return f"{re.sub(r'[^!-~]', '-', socket.gethostname())}/{os.getpid()}"


def _live(pool: Pool, durations: DurationStore) -> Live:
    overviews = Overviews(
        pool.capacity, pool.usage, pool.spending, pool.tasks, durations, pool.tenants
    )
    return Live(overviews, lambda: (pool.accounts.version, pool.tenants.version))


def _pool_reader(settings: Settings, pool: Pool) -> PoolReader:
    return PoolReader(
        pool.capacity,
        pool.spending,
        lambda: pool.tenants.teams,
        lambda: pool.slots.verify(pool.tenants.teams.values()),
        settings.queue_tasks,
    )


def _bookkeeping(settings: Settings, pool: Pool) -> Bookkeeping:
    archive = LedgerArchive(
        pool.store,
        pool.ledger_files,
        ledger_seconds=settings.ledger_seconds,
        usage_seconds=settings.usage_seconds,
    )
    return Bookkeeping(archive)


def _providers(http: ProviderHttp) -> dict[str, Provider]:
    return {name: kind.make(http) for name, kind in PROVIDERS.items()}


def check_providers(settings: Settings) -> None:
    """Refuse, before anything is started, accounts and models of vendors that there are not.

    Raises:
        WrongSettings: naming the setting, and the vendors that there are.
    """
    list(_accounts(settings))
    models = {spec.name: spec for spec in Catalog(map(_model, settings.models))}
    terms = TenantTerms(tiers=settings.tiers, models=models)
    list(_teams(settings, terms))
    for i, price in enumerate(settings.prices):
        with _named(f"GATEWAY_PRICES.{i}"):
            terms.check_price(price)


def _accounts(settings: Settings) -> Iterator[Account]:
    terms = _terms(settings, Catalog(map(_model, settings.models)))
    for i, form in enumerate(settings.accounts):
        _known(f"GATEWAY_ACCOUNTS.{i}.provider", form.provider)
        yield terms.account(form, Source.SETTINGS)


def _terms(settings: Settings, catalog: Catalog) -> AccountTerms:
    return AccountTerms(
        tiers=settings.tiers,
        base_urls={name: kind.base_url for name, kind in PROVIDERS.items()},
        costs_fen={name: kind.costs_fen for name, kind in PROVIDERS.items()},
        models={spec.name: spec.providers for spec in catalog},
    )


def _known(setting: str, provider: str) -> str:
    if provider not in PROVIDERS:
        raise WrongSettings(
            f"{setting}: there is no provider {provider}, only {', '.join(PROVIDERS)}"
        )
    return provider


def _tenants(settings: Settings, store: Store, catalog: Catalog) -> TenantStore:
    terms = TenantTerms(tiers=settings.tiers, models={spec.name: spec for spec in catalog})
    keys = {key.get_secret_value(): team.name for team in settings.teams for key in team.keys}
    prices = [form.price for form in settings.prices]
    return TenantStore(store, terms, _teams(settings, terms), keys, prices)


def _teams(settings: Settings, terms: TenantTerms) -> Iterator[Team]:
    for i, form in enumerate(settings.teams):
        with _named(f"GATEWAY_TEAMS.{i}"):
            yield terms.team(form, Source.SETTINGS)


@contextmanager
def _named(setting: str) -> Iterator[None]:
    """What does not fit in a setting is told with the setting's name."""
    try:
        yield
    except InvalidField as error:
        raise WrongSettings(f"{setting}.{error}") from None


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
        expected_seconds=model.expected_seconds,
    )


def _failpoints(settings: Settings) -> Failpoints | None:
    if not settings.failpoints:
        return None
    log.warning("this process fails on purpose (GATEWAY_FAILPOINTS): it is a test's")
    return Failpoints(
        Failpoint(point.place, Failure(point.failure), point.first, point.times)
        for point in settings.failpoints
    )


def _schedule(settings: Settings, durations: DurationStore) -> LookSchedule:
    return LookSchedule(
        durations,
        looks_per_task=settings.looks_per_task,
        idle_looks_per_task=settings.idle_looks_per_task,
        first_seconds=settings.first_look_seconds,
        longest_seconds=settings.longest_look_seconds,
    )


def _bounds(settings: Settings) -> QueueBounds:
    return QueueBounds(
        tasks=settings.queue_tasks,
        team_tasks=settings.queue_tasks_per_team,
        bytes=settings.queue_bytes,
        team_bytes=settings.queue_bytes_per_team,
    )


def _rules(settings: Settings) -> Rules:
    return Rules(
        claim_lease_seconds=settings.claim_lease_seconds,
        sending_lease_seconds=settings.submit_timeout_seconds + settings.sending_margin_seconds,
        unknown_hold_seconds=settings.unknown_hold_seconds,
        look_lease_seconds=settings.look_lease_seconds,
        retention_seconds=settings.retention_seconds,
        idempotency_seconds=settings.idempotency_seconds,
        queue_timeout_seconds=settings.queue_timeout_seconds,
        breaker_losses=settings.breaker_losses,
        breaker_seconds=settings.breaker_seconds,
        trial_seconds=settings.trial_seconds,
        poison_claims=settings.poison_claims,
        rest_seconds={
            Rest.KEY: settings.key_rest_seconds,
            Rest.ACCOUNT: settings.account_rest_seconds,
            Rest.CONCURRENCY: settings.concurrency_rest_seconds,
            Rest.RATE: settings.rate_rest_seconds,
            Rest.OVERLOAD: settings.overload_rest_seconds,
            Rest.UNREACHABLE: settings.unreachable_rest_seconds,
        },
        rest_growth=settings.rest_growth,
        rest_jitter=settings.rest_jitter,
        rest_budget=settings.rest_budget,
        probe_submits=settings.probe_submits,
        probe_seconds=settings.probe_seconds,
        process=_process(),
    )

"""Every knob: its name, what it may be, what it means. `configuration.py` reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.domain.account_form import AccountForm, Limit, Name, has_host
from gateway.domain.tenant_form import Fen, PriceForm, TeamForm

PREFIX = "GATEWAY_"


class WrongSettings(Exception):
    """A setting that the gateway cannot start with. One line: which, and what would be right."""


Seconds = Annotated[float, Field(gt=0, le=10 * 365 * 86400, allow_inf_nan=False)]


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("must be the shorter and then the longer time, in seconds")
    return span


Span = Annotated[tuple[Seconds, Seconds], AfterValidator(_ordered)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TeamSettings(TeamForm):
    """One internal team and its keys for calling us."""

    keys: list[SecretStr] = Field([])

    @field_validator("keys")
    @classmethod
    def _long_enough(cls, keys: list[SecretStr]) -> list[SecretStr]:
        for key in keys:
            if not re.fullmatch(r"[!-~]{32,256}", key.get_secret_value()):
                raise ValueError("a key must be 32 to 256 printable characters without spaces")
        return keys


class ModelSettings(_Entry):
    """A model beside the built-in one. What it costs and how many may run must be said."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    price_fen: Fen
    limit: Limit
    providers: list[Name] = ["bigmodel"]
    qualities: list[Annotated[str, Field(pattern=r"^[^:]+$")]] = []
    """Without a colon: the ledger has one between size, quality and seconds."""
    sizes: list[str] = []
    fps: list[int] = []
    durations: list[int] = []
    max_images: int = Field(default=1, ge=0, le=2)
    max_prompt_characters: int = Field(default=512, ge=1)
    expected_seconds: Span | None = None


class FailpointSettings(_Entry):
    """One place where the process is to fail, for tests; see failpoints.py."""

    place: str
    failure: Literal["kill", "pause", "raise", "reset", "cancel"]
    first: int = Field(default=1, ge=1)
    times: int = Field(default=1, ge=1)


class Settings(BaseSettings):
    """All settings. Seconds may have fractions; bytes and counts may not."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",
        frozen=True,
        env_ignore_empty=True,  # compose files and charts leave empty what was not given
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: any free one")
    admin_port: int | None = Field(
        None, ge=0, le=65535, description="port of the admin plane; unset: the same port"
    )
    workers: int = Field(1, ge=1, le=64, description="API processes on this machine")
    redis_url: SecretStr | None = Field(
        None, description="redis:// or rediss:// URL; unset: a store of the gateway's own"
    )
    pool: Name = Field("default", description="name of the pool; several may share a store")
    data_dir: Path = Field(Path("data"), description="where the gateway's own store lives")
    admin_key: SecretStr | None = Field(None, description="opens the admin plane")
    secret_key: SecretStr | None = Field(
        None,
        description="encrypts account keys kept in the store; the first of several, which commas "
        "separate, encrypts, and all decrypt",
    )
    accounts: list[AccountForm] = Field([], description="accounts at the vendors")
    prefer: Literal["share", "order", "price"] = Field(
        "share",
        description="whose accounts go first: the largest share of free slots (share), the first "
        "of PROVIDER_ORDER (order), the lowest costs_fen (price); the others take the overflow",
    )
    provider_order: list[Name] = Field(
        ["bigmodel", "geekai"], description="the vendors, the preferred one first"
    )
    teams: list[TeamSettings] = Field([], description="teams that may call us, with their keys")
    models: list[ModelSettings] = Field([], description="models beside cogvideox-3")
    prices: list[PriceForm] = Field(
        [], description="the price book: by model, team, size, quality, duration, from when on"
    )
    time_zone: str = Field(
        "Asia/Shanghai", description="whose days and months budgets and bills have"
    )
    tiers: dict[str, Limit] = Field(
        {"V0": 5, "V1": 10, "V2": 15, "V3": 20}, description="tasks in flight by tier"
    )
    unknown_hold_seconds: Seconds = Field(
        7200, description="how long a submit whose answer was lost keeps its slot"
    )
    max_age_seconds: Seconds = Field(86400, description="a task that runs longer is overdue")
    submit_wait_seconds: Seconds = Field(
        10, description="how long a POST waits for the vendor's answer when a slot is free"
    )
    longest_wait_seconds: float = Field(
        240,
        gt=0,
        lt=280,
        description="a caller that waits for the video is answered by then, whatever it says",
    )
    public_url: str | None = Field(
        None, description="how clients reach this gateway, for links to itself; unset: their Host"
    )
    cors_origins: list[str] = Field(
        [], description="origins whose pages may call this gateway from a browser"
    )
    max_body_bytes: int = Field(15 * 1024 * 1024, ge=1024, description="largest request body")
    claim_lease_seconds: Seconds = Field(
        10, description="a claim not used by then goes back to the queue"
    )
    submit_timeout_seconds: Seconds = Field(
        30, description="a vendor's answer to a submit counts as lost after this"
    )
    sending_margin_seconds: Seconds = Field(
        15, description="time to record a submit's outcome, over a store that stumbles"
    )
    send_window_seconds: Seconds = Field(
        1.5, description="a process held up for longer just before the first byte does not send"
    )
    unknown_share: float = Field(
        0.4,
        gt=0,
        le=1,
        description="of an account's slots, what lost answers may take (2 at least)",
    )
    breaker_losses: int = Field(
        3,
        ge=1,
        description="answers lost in a row that make an account be tried one task at a time",
    )
    breaker_seconds: Seconds = Field(15, description="pause before such a try")
    trial_seconds: Seconds = Field(
        300, description="the same once unknown outcomes hold more slots than they may"
    )
    poison_claims: int = Field(
        3, ge=1, description="a task whose claims ran out unsent more often than that fails"
    )
    queue_timeout_seconds: Seconds = Field(
        86400, description="how long a task waits for a slot before it fails"
    )
    queue_tasks: int = Field(50_000, ge=1, description="tasks that may wait")
    queue_tasks_per_team: int = Field(10_000, ge=1, description="the same of one team")
    queue_bytes: int = Field(1024**3, ge=1, description="bytes of waiting requests and images")
    queue_bytes_per_team: int = Field(256 * 1024**2, ge=1, description="the same of one team")
    idempotency_seconds: Seconds = Field(
        86400, description="how long an idempotency key means the same task"
    )
    ledger_seconds: Seconds = Field(
        35 * 86400,
        ge=86400,
        description="how long the ledger is kept in the store, before it is a file a day",
    )
    ledger_dir: Path | None = Field(
        None, description="where these files are; unset: ledger in the data directory"
    )
    usage_seconds: Seconds = Field(
        400 * 86400, ge=86400, description="how long sums of usage are kept, hour by hour"
    )
    expected_seconds: dict[str, Span] = Field(
        {},
        description="by model, the shortest and the longest that a task takes, until it is learned",
    )
    looks_per_task: float = Field(
        6.2,
        ge=1.5,
        le=100,
        description="looks to aim at where durations are known and work waits for the slot",
    )
    idle_looks_per_task: float = Field(
        5, ge=1.5, le=100, description="looks to aim at where no work waits for the slot"
    )
    look_lease_seconds: Seconds = Field(
        12, description="a look not answered by then may be made by another process"
    )
    first_look_seconds: Seconds = Field(
        2, description="from acceptance to the first look, where no duration is known"
    )
    longest_look_seconds: Seconds = Field(
        15, description="the longest time between two looks there, and past the longest known"
    )
    looks_at_once: int = Field(256, ge=1, le=1000, description="looks under way in one process")
    looks_per_account: int = Field(
        8, ge=1, le=1000, description="of these, at the tasks of one account"
    )
    retention_seconds: Seconds = Field(
        7 * 86400, description="how long an ended task can be asked for"
    )
    cached_tasks: int = Field(10_000, ge=0, description="ended tasks kept in memory")
    concurrency_rest_seconds: Seconds = Field(
        5, description="an account that refuses for concurrency (1302) is left alone so long"
    )
    rate_rest_seconds: Seconds = Field(
        5, description="an account that was asked too often (1303) is left alone so long"
    )
    overload_rest_seconds: Seconds = Field(
        10, description="a model that a vendor calls overloaded (1305) is left alone so long"
    )
    unreachable_rest_seconds: Seconds = Field(
        2, description="an account that cannot be reached is left alone so long"
    )
    account_rest_seconds: Seconds = Field(
        300, description="an account in arrears or locked is left alone so long"
    )
    key_rest_seconds: Seconds = Field(
        300, description="an API key that was refused is left alone so long"
    )
    rest_growth: float = Field(
        8, ge=1, le=1000, description="refusals in a row make these at most so many times as long"
    )
    rest_jitter: float = Field(
        0.2, ge=0, le=0.9, description="and by chance so much shorter or longer"
    )
    rest_budget: int = Field(
        10,
        ge=0,
        description="refusals for overload before a model is tried with one task at a time",
    )
    probe_submits: int = Field(
        100, ge=1, description="a lowered effective limit is tried upward after so many tasks"
    )
    probe_seconds: Seconds = Field(1800, description="or after so long")
    missing_seconds: Seconds = Field(
        60, description="a vendor that does not know a task for so long is believed"
    )
    store_timeout_seconds: Seconds = Field(
        2, description="longest wait for one answer of the store"
    )
    drain_delay_seconds: float = Field(
        0, ge=0, le=600, description="from not ready to closing the port, when told to stop"
    )
    failpoints: list[FailpointSettings] = Field([], description="for tests: where to fail")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["pretty", "json"] = Field(
        "pretty", description="a line of text for people, or a JSON object a line"
    )
    log_prompts: bool = Field(False, description="whether prompts may stand in the log")
    traces_endpoint: str | None = Field(
        None,
        description="an OTLP/HTTP collector, like http://collector:4318/v1/traces; needs the extra "
        "otel",
    )
    worker_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="where `gateway worker` tells of its health and metrics; unset: nowhere",
    )

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, url: SecretStr | None) -> SecretStr | None:
        known = ("redis://", "rediss://", "unix://")
        if url is not None and not url.get_secret_value().startswith(known):
            raise ValueError("must start with redis://, rediss:// or unix://")
        text = url.get_secret_value() if url is not None else ""
        if text.startswith("redis") and not has_host(text):
            raise ValueError("must be a URL like redis://store:6379/0")
        return url

    @field_validator("public_url", "traces_endpoint")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not re.fullmatch(r"https?://[^\s?#]+", url) or not has_host(url):
            raise ValueError("must be a URL like https://videos.example.com")
        return url.rstrip("/")

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if origin != "*" and not re.fullmatch(r"https?://[^\s/?#]+", origin):
                raise ValueError('must be origins like https://tools.example.com, or "*"')
        return origins

    @field_validator("data_dir", "ledger_dir")
    @classmethod
    def _without_tilde(cls, folder: Path | None) -> Path | None:
        return None if folder is None else folder.expanduser()

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a time zone like Asia/Shanghai or UTC") from None
        return name

    @field_validator("secret_key")
    @classmethod
    def _secrets(cls, key: SecretStr | None) -> SecretStr | None:
        secrets = re.split(r"[,\s]+", key.get_secret_value().strip()) if key is not None else []
        if not all(len(secret) >= 32 for secret in secrets):
            raise ValueError(
                "each must have at least 32 characters; make one with: openssl rand -hex 32"
            )
        return key

    @field_validator("admin_key")
    @classmethod
    def _cannot_be_guessed(cls, key: SecretStr | None) -> SecretStr | None:
        # Guesses are not counted, which could lock an operator out: its length is what defends it.
        if key is not None and not re.fullmatch(r"[!-~]{32,256}", key.get_secret_value()):
            raise ValueError(
                "must be 32 to 256 printable characters without spaces; make one with: "
                "openssl rand -hex 32"
            )
        return key

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        _unique("accounts", [account.name for account in self.accounts])
        _unique("teams", [team.name for team in self.teams])
        _unique("models", ["cogvideox-3", *(model.name for model in self.models)])
        _unique("accounts", [k for a in self.accounts for k in a.api_keys], "the same API key")
        _unique("teams", [k for t in self.teams for k in t.keys], "the same key")
        models = ["cogvideox-3", *(model.name for model in self.models)]
        for i, account in enumerate(self.accounts):
            for where, model in (
                *(("limits", model) for model in account.limits),
                *(("costs_fen", model) for model in account.costs_fen),
                *(("models", model) for model in account.models),
            ):
                if model in models:
                    continue
                place = f"{PREFIX}ACCOUNTS.{i}.{where}.{model}"
                raise ValueError(f"{place}: there is no such model, only {', '.join(models)}")
        for model in self.expected_seconds.keys() - set(models):
            place = f"{PREFIX}EXPECTED_SECONDS.{model}"
            raise ValueError(f"{place}: there is no such model, only {', '.join(models)}")
        if self.retention_seconds < self.idempotency_seconds:
            raise ValueError(
                f"{PREFIX}RETENTION_SECONDS: must be at least {PREFIX}IDEMPOTENCY_SECONDS: "
                "a key that is known must find its task"
            )
        given = {f"ACCOUNTS.{i}": account.tier for i, account in enumerate(self.accounts)}
        given |= {f"TEAMS.{i}": team.tier for i, team in enumerate(self.teams)}
        for place, tier in given.items():
            if tier is not None and tier not in self.tiers:
                tiers = ", ".join(self.tiers)
                raise ValueError(f"{PREFIX}{place}.tier: must be one of {tiers}")
        return self


def _unique(field: str, values: list[Any], what: str = "the same name") -> None:
    if len(set(values)) < len(values):
        raise ValueError(f"{PREFIX}{field.upper()}: {what} stands there twice")

"""What a person says of an account: in the settings, through the admin API, at the keyboard."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from gateway.domain.account import Account, ApiKey, Source
from gateway.domain.errors import InvalidField, MissingField

WHAT_A_NAME_IS = "must be 1 to 64 letters, digits, '.', '_' or '-'"


def is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", text) is not None


def _slug(name: str) -> str:
    if not is_name(name):
        raise ValueError(WHAT_A_NAME_IS)
    return name


Name = Annotated[str, AfterValidator(_slug)]
Limit = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Weight = Annotated[float, Field(ge=0.001, le=1000, allow_inf_nan=False)]


class AccountForm(BaseModel):
    """One account at a vendor. Its tier or limit holds for each model, whatever key is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    provider: Name = "bigmodel"
    base_url: str | None = None
    tier: str | None = None
    limit: Limit | None = None
    limits: dict[str, Limit] = {}
    models: list[Name] = []
    """Those that it may make; empty: all of its provider's."""
    weight: Weight = 1.0
    costs_fen: dict[str, Annotated[int, Field(strict=True, ge=0, le=10**8)]] = {}
    """By model, what the vendor charges for a video; else what it publishes, if it does."""
    api_keys: list[SecretStr] = Field(min_length=1, max_length=1000)

    @field_validator("api_keys")
    @classmethod
    def _keys_fit_a_header(cls, keys: list[SecretStr]) -> list[SecretStr]:
        if not all(is_api_key(key.get_secret_value()) for key in keys):
            raise ValueError("an API key must be printable characters without spaces")
        if len(set(keys)) < len(keys):
            raise ValueError("the same API key stands there twice")
        return keys

    @model_validator(mode="after")
    def _complete(self) -> AccountForm:
        if (self.tier is None) == (self.limit is None):
            raise ValueError('give either "tier" or "limit"')
        return self

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url) or not has_host(url):
            raise ValueError("must be a URL like https://open.bigmodel.cn/api/paas/v4")
        return url.rstrip("/")

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> AccountForm:
        """Read what came from outside.

        Raises:
            MissingField, InvalidField: with the field in question; no value is ever quoted, since
                it may be a secret.
        """
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            raise first_fault(error, cls.model_fields, "an account") from None


def is_api_key(text: str) -> bool:
    """Whether this could be a vendor's key: it must fit into a header."""
    return re.fullmatch(r"[!-~]{1,512}", text) is not None


def has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, or none that there can be
        return False


def not_a_field(name: str, fields: Collection[str], what: str = "an account") -> InvalidField:
    """The refusal of a field that there is not; with the one that was probably meant."""
    near = difflib.get_close_matches(name, fields, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(fields)}"
    param = told_field(name)
    return InvalidField(f"{param} is not a field of {what}; {hint}", param=param)


def told_field(name: str) -> str:
    """A field's name as it may be told again: what stands in its place could be a secret."""
    return name if re.fullmatch(r"[\w.-]{1,32}", name) else "(a name that is none)"


def first_fault(
    error: ValidationError, fields: Collection[str], what: str
) -> InvalidField | MissingField:
    """What a person is told of a form that does not fit; `what` it is, like "an account"."""
    faults = error.errors(include_url=False, include_input=False)
    # A field that is misspelt is both: one too many, and one that is missing.
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
    param = ".".join(told_field(str(part)) for part in fault["loc"]) or "tier"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "too_short":
        return InvalidField(f"{param} is empty: give at least 1", param=param)
    if fault["type"] == "missing":
        return MissingField(f"{param} is missing", param=param)
    if fault["type"] == "extra_forbidden":
        return not_a_field(param, fields, what)
    return InvalidField(f"{param}: {message[:1].lower()}{message[1:]}", param=param)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """What an account's form leaves open, and what it may name."""

    tiers: Mapping[str, int]
    base_urls: Mapping[str, str]
    """By provider, where its API stands: these are the providers that there are."""
    costs_fen: Mapping[str, Mapping[str, int]]
    """By provider and model, what it publishes as the price of a video."""
    models: Mapping[str, Collection[str]]
    """By name, the providers that make it."""

    def check(self, form: AccountForm) -> None:
        """Refuse what names something that is not there.

        Raises:
            InvalidField: naming the field, and what there is.
        """
        among("provider", form.provider, self.base_urls)
        if form.tier is not None:
            among("tier", form.tier, self.tiers)
        for field in ("limits", "models", "costs_fen"):
            for model in getattr(form, field):
                among(f"{field}.{told_field(model)}", model, self.models)
        if form.models and not any(form.provider in self.models[name] for name in form.models):
            raise InvalidField(f"models: {form.provider} makes none of these", param="models")

    def base_url_of(self, form: AccountForm) -> str:
        return form.base_url or self.base_urls[form.provider]

    def account(self, form: AccountForm, source: Source) -> Account:
        """The account as the gateway uses it.

        Raises:
            InvalidField: as `check`.
        """
        self.check(form)
        return Account(
            name=form.name,
            provider=form.provider,
            base_url=self.base_url_of(form),
            limit=form.limit or self.tiers[form.tier or ""],
            limits=form.limits,
            tier=form.tier,
            models=tuple(form.models),
            weight=form.weight,
            costs_fen={**self.costs_fen.get(form.provider, {}), **form.costs_fen},
            api_keys=tuple(ApiKey(key.get_secret_value()) for key in form.api_keys),
            source=source,
        )


def among(param: str, value: str, there_are: Collection[str]) -> None:
    """Refuse a value of a field that is none of what there is.

    Raises:
        InvalidField: naming the field, and what there is.
    """
    if value not in there_are:
        field = param.split(".")[0]
        raise InvalidField(
            f"{param}: there is no such {field.rstrip('s')}, only {', '.join(there_are)}",
            param=param,
        )

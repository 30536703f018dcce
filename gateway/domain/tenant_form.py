"""What a person says of a team, a key or a price: in the settings, through the admin API, at the
keyboard. Money is in whole fen."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gateway.domain.account import Source
from gateway.domain.account_form import Limit, Name, Weight, among, first_fault
from gateway.domain.catalog import ModelSpec
from gateway.domain.charge import Budget
from gateway.domain.errors import InvalidField
from gateway.domain.operators import Role
from gateway.domain.prices import Price
from gateway.domain.team import Permit, Team, TeamKey


def _with_zone(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError("must say its time zone, like 2026-03-01T00:00:00+08:00")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be between the years 1 and 9999 in UTC") from None


Moment = Annotated[datetime, AfterValidator(_with_zone)]
Fen = Annotated[int, Field(strict=True, ge=0, le=10**12)]

_UNSEEN = ("Cc", "Cs", "Zl", "Zp")  # control, half a character, the ends of lines and paragraphs
_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def _printable(text: str) -> str:
    """These are shown on terminals, where a control character may do anything, and one that turns
    the direction of writing may make a text read as another."""
    if any(
        unicodedata.category(each) in _UNSEEN or unicodedata.bidirectional(each) in _TURNS
        for each in text
    ):
        raise ValueError("must have no control characters")
    return text


Label = Annotated[str, Field(max_length=100), AfterValidator(_printable)]
MetadataKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
MetadataText = Annotated[str, Field(max_length=500), AfterValidator(_printable)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    WHAT: ClassVar[str] = "an entry"

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """Read what came from outside.

        Raises:
            MissingField, InvalidField: with the field in question; no value is ever quoted.
        """
        try:
            return cls.model_validate(said)
        except ValidationError as error:
            raise first_fault(error, cls.model_fields, cls.WHAT) from None


class _PermitForm(_Form):
    """What teams and keys have in common."""

    budget_day_fen: Fen | None = None
    """Reserved and spent by tasks that are admitted in a day, at most; None: whatever it is."""
    budget_month_fen: Fen | None = None
    budget_total_fen: Fen | None = None
    submits_per_minute: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    models: list[Name] = []
    """Those that may be asked for; empty: all."""
    sizes: list[str] = []
    qualities: list[str] = []
    expires_at: Moment | None = None
    blocked: bool = False
    metadata: Annotated[dict[MetadataKey, MetadataText], Field(max_length=16)] = {}

    @property
    def permit(self) -> Permit:
        return Permit(
            budget=Budget(
                day_fen=self.budget_day_fen,
                month_fen=self.budget_month_fen,
                total_fen=self.budget_total_fen,
            ),
            submits_per_minute=self.submits_per_minute,
            models=tuple(self.models),
            sizes=tuple(self.sizes),
            qualities=tuple(self.qualities),
            expires_ms=_unix_ms(self.expires_at),
            blocked=self.blocked,
            metadata=self.metadata,
        )


class TeamForm(_PermitForm):
    """An internal team."""

    WHAT: ClassVar[str] = "a team"

    name: Name
    tier: str = "V0"
    limit: Limit | None = None
    """Tasks in flight, in place of the tier's."""
    weight: Weight = 1.0
    queue_tasks: Annotated[int, Field(strict=True, ge=0)] | None = None
    overflow: Literal["queue", "reject"] = "queue"


class KeyForm(_PermitForm):
    """A key of a team, without its secret."""

    WHAT: ClassVar[str] = "a key"

    team: Name
    name: Label = ""
    overflow: Literal["queue", "reject"] | None = None

    def key(self, key_id: str, *, hint: str, created_ms: int | None, source: Source) -> TeamKey:
        """The key as the gateway uses it."""
        return TeamKey(
            id=key_id,
            team=self.team,
            name=self.name,
            hint=hint,
            created_ms=created_ms,
            rejects_overflow=None if self.overflow is None else self.overflow == "reject",
            permit=self.permit,
            source=source,
        )


class PriceForm(_Form):
    """A line of the price book."""

    WHAT: ClassVar[str] = "a price"

    model: Name
    price_fen: Fen
    team: Name | None = None
    size: str | None = None
    quality: str | None = None
    duration: int | None = None
    """Seconds."""
    starts_at: Moment | None = None

    @property
    def price(self) -> Price:
        return Price(
            model=self.model,
            price_fen=self.price_fen,
            team=self.team,
            size=self.size,
            quality=self.quality,
            duration_seconds=self.duration,
            starts=self.starts_at,
        )


class OperatorForm(_Form):
    """Somebody who may use the admin plane, without the secret."""

    WHAT: ClassVar[str] = "an operator"

    name: Name
    role: Role
    team: Name | None = None
    """Then its viewer sees what is that team's, and nothing else."""
    expires_at: Moment | None = None

    @field_validator("team")
    @classmethod
    def _of_a_team_only_looks(cls, team: str | None, info: ValidationInfo) -> str | None:
        if team is not None and info.data.get("role") is not Role.VIEWER:
            raise ValueError("only a viewer can be one team's own")
        return team

    @property
    def expires_ms(self) -> int | None:
        return _unix_ms(self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantTerms:
    """What a tenant's form leaves open, and what it may name."""

    tiers: Mapping[str, int]
    models: Mapping[str, ModelSpec]

    def check(self, form: TeamForm | KeyForm) -> None:
        """Refuse what names something that is not there.

        Raises:
            InvalidField: naming the field, and what there is.
        """
        if isinstance(form, TeamForm):
            among("tier", form.tier, self.tiers)
        for i, model in enumerate(form.models):
            among(f"models.{i}", model, self.models)
        offered = [self.models[name] for name in form.models] or list(self.models.values())
        _all_among("sizes", form.sizes, {size for spec in offered for size in spec.sizes})
        _all_among("qualities", form.qualities, {q for spec in offered for q in spec.qualities})

    def check_price(self, form: PriceForm) -> None:
        """The same of a price.

        Raises:
            InvalidField: naming the field, and what there is.
        """
        among("model", form.model, self.models)
        spec = self.models[form.model]
        for field, value, choices in (
            ("size", form.size, spec.sizes),
            ("quality", form.quality, spec.qualities),
            ("duration", form.duration, spec.durations_seconds),
        ):
            if value is not None and value not in choices:
                listed = ", ".join(map(str, choices)) or f"none of {form.model}"
                raise InvalidField(f"{field}: there is no such one, only {listed}", param=field)

    def team(self, form: TeamForm, source: Source) -> Team:
        """The team as the gateway uses it.

        Raises:
            InvalidField: as `check`.
        """
        self.check(form)
        return Team(
            name=form.name,
            cap=form.limit or self.tiers[form.tier],
            weight=form.weight,
            rejects_overflow=form.overflow == "reject",
            queue_tasks=form.queue_tasks,
            tier=None if form.limit else form.tier,
            permit=form.permit,
            source=source,
        )


def _unix_ms(when: datetime | None) -> int | None:
    return None if when is None else round(when.timestamp() * 1000)


def _all_among(field: str, values: Iterable[str], there_are: Collection[str]) -> None:
    for i, value in enumerate(values):
        among(f"{field}.{i}", value, sorted(there_are))

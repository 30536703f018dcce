"""What can be changed while the simulator runs; see `PATCH /simulator/settings`."""

import random
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError("the shorter time comes first")
    return span


Span = Seconds | Annotated[tuple[Seconds, Seconds], AfterValidator(_ordered)]
"""A length of time: always the same, or drawn evenly between two."""


def draw(span: Span, dice: random.Random) -> float:
    return dice.uniform(*span) if isinstance(span, tuple) else span


class UnknownId(BaseModel):
    """The answer to a look for an id that the vendor never gave; undocumented, hence free."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: int = Field(default=404, ge=400, le=599)
    code: str = Field(default="1214", pattern=r"^\d+$")
    message: str = "任务不存在"


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    duration: Span = Field(default=5.0, description="How long an accepted task runs, in seconds")
    models: list[str] = Field(
        default=["cogvideox-3"], min_length=1, description="What can be asked for"
    )
    strict_keys: bool = Field(
        default=False, description="A key of another account finds no such task"
    )
    submit_delay_seconds: Span = Field(
        default=0.0, description="From a submit's outcome to its answer"
    )
    look_delay_seconds: Span = Field(default=0.0, description="From a look to its answer")
    url_lifetime_seconds: Seconds = Field(
        default=86400, description="Links die so long after the end"
    )
    public_url: str | None = Field(
        default=None, description="Base of links; else the request's Host"
    )
    cover_format: Literal["png", "jpg", "webp"] | None = Field(
        default=None, description="Ending of cover links; null: each format in turn"
    )
    unknown_id: UnknownId = UnknownId()
    keep_tasks: int = Field(default=50_000, ge=1, description="Older ended tasks are forgotten")

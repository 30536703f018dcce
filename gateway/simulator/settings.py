"""What can be changed while the simulator runs; see `PATCH /simulator/settings`."""

import random
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.simulator.errors import Envelope

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
    """bigmodel's answer to a look for an id it never gave; undocumented, hence free."""

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
    geekai_url_lifetime_seconds: Seconds = Field(
        default=7 * 86400, description="The same at geekai"
    )
    resign_links: bool = Field(
        default=False,
        description="Each look signs the links anew, from its own time; else they keep the first "
        "Expires",
    )
    public_url: str | None = Field(
        default=None, description="Base of links; else the request's Host"
    )
    cover_format: Literal["png", "jpg", "webp"] | None = Field(
        default=None, description="Ending of cover links; null: each format in turn"
    )
    unknown_id: UnknownId = UnknownId()
    geekai_result: Literal["array", "object"] = Field(
        default="array",
        description="video_result: [{id, url}], or as older pages have it {id, url, "
        "cover_image_url}",
    )
    geekai_success: Literal["succeed", "success"] = Field(
        default="succeed", description="The status of a finished task; older pages: success"
    )
    geekai_envelope: Envelope = Field(
        default="nested",
        description="Bodies of geekai's errors, which are undocumented: {error: {code, message}}, "
        "{code: number, message}, {error: message} or {message}",
    )
    keep_tasks: int = Field(default=50_000, ge=1, description="Older ended tasks are forgotten")

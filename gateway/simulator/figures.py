"""The statistics as `GET /simulator/stats` tells them, one line a figure."""

from pydantic import BaseModel, Field


class EndToSeen(BaseModel):
    """From a task's end to the first look that told it, in seconds."""

    count: int = Field(description="Ended tasks whose end was told")
    mean: float = Field(description="Exact")
    p50: float = Field(description="From an even sample, as p99")
    p99: float
    max: float = Field(description="Exact")


class LooksPerTask(BaseModel):
    mean: float = Field(description="Looks at tasks / accepted tasks")
    max: int = Field(description="Looks at the task that was looked at most")


class Figures(BaseModel):
    """Of everything, or of one account x model."""

    submits: int = Field(description="Submits received")
    accepted: int = Field(description="Submits that became a task, told or not")
    refused: dict[str, int] = Field(description="Submits refused, by code; geekai: by status")
    refused_over_limit: int = Field(description="Of these, for want of a place: it was full")
    limit: int = Field(description="Tasks that may be in flight")
    in_flight: int = Field(description="Tasks in flight now")
    peak_in_flight: int = Field(description="Most tasks in flight at one time")
    over_limit: int = Field(description="Times in_flight exceeded the limit; only by lowering it")
    duplicates: int = Field(
        description="Second and later tasks for one gateway task, by its request_id; geekai has "
        "none, so there they are not counted"
    )
    repeated_request_ids: int = Field(description="Submits with the request_id of a task (1231)")
    looks: int = Field(description="Looks at tasks")
    looks_per_task: LooksPerTask
    looks_with_foreign_key: int = Field(description="Looks with a key of another account")
    looks_after_end: int = Field(description="Looks at a task whose end had been told already")
    looks_refused: dict[str, int] = Field(description="Looks refused, by code; geekai: by status")
    succeeded: int = Field(description="Tasks ended in SUCCESS")
    failed: int = Field(description="Tasks ended in FAIL")
    ended_unseen: int = Field(description="Ended tasks whose end no look has been told")
    end_to_seen_seconds: EndToSeen
    slot_time_in_use: float = Field(
        description="Task seconds / (limit x time), from the first task to now or the last end"
    )
    nulls_received: int = Field(description="JSON nulls in submits")
    unknown_fields_received: int = Field(description="Fields in submits that the vendor lacks")


class KeyFigures(BaseModel):
    """Of one key: so that several users of an account can be told apart."""

    submits: int = Field(description="Submits received")
    accepted: int = Field(description="Submits that became a task, told or not")
    refused: dict[str, int] = Field(description="Submits refused, by code; geekai: by status")
    refused_over_limit: int = Field(description="Of these, for want of a place: it was full")
    in_flight: int = Field(description="Tasks of its submits in flight now")
    peak_in_flight: int = Field(description="Most of these at one time")
    looks_refused: dict[str, int] = Field(description="Looks refused, by code; geekai: by status")


class Stats(BaseModel):
    total: Figures
    accounts: dict[str, dict[str, Figures]] = Field(description="By account, then by model")
    keys: dict[str, KeyFigures] = Field(description="By key, of those that were used")
    requests: dict[str, int] = Field(description="HTTP requests by path")

"""What the ledger says, and sums of it. Whole fen; moments in Unix milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, tzinfo

from gateway.domain.task import Outcome, Status

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
UNKNOWN = "unknown"
"""Told in place of `failed` where the vendor may have made what nobody saw."""
STATUSES = (Status.COMPLETED.value, Status.FAILED.value, Status.CANCELLED.value, UNKNOWN)
NOBODY = "-"
"""How sums name the key or the account that there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One task's settlement, as the ledger has it for good."""

    day: str
    """Whose entries it is among, in UTC."""
    id: str
    """Its place among them."""
    task: str
    team: str
    key: str
    model: str
    form: str
    """`<size>:<quality>:<seconds>`, with `-` for what was not said."""
    provider: str
    account: str
    """Empty where no vendor ever had it; so is `provider`."""
    claim: int
    provider_task: str
    status: str
    outcome: Outcome
    price_fen: int
    cost_fen: int | None
    """What the vendor charges us; None: nobody said."""
    created_ms: int
    ended_ms: int
    periods: tuple[str, ...]
    """The budgets' periods that it is charged to."""

    @classmethod
    def read(cls, day: str, entry_id: str, said: Mapping[str, str]) -> Entry:
        """From the fields as they are stored.

        Raises:
            KeyError, ValueError: it is no entry.
        """
        return cls(
            day=day,
            id=entry_id,
            **{name: said[name] for name in _TEXTS},
            claim=int(said["claim"]),
            outcome=Outcome(said["outcome"]),
            price_fen=int(said["price_fen"]),
            cost_fen=int(said["cost_fen"]) if said["cost_fen"] else None,
            created_ms=int(said["created_ms"]),
            ended_ms=int(said["ended_ms"]),
            periods=tuple(said["periods"].split()),
        )

    @property
    def at_ms(self) -> int:
        """When it counts: at its end, or with its day's begin where the clock was set back."""
        return max(self.ended_ms, day_ms(self.day))

    @property
    def request_id(self) -> str:
        """What the vendor knows the task by."""
        return f"{self.task}-{self.claim}"

    @property
    def kind(self) -> tuple[str, str, str]:
        """Size, quality and seconds; `-` for what was not said. A size may have a colon: 16:9."""
        size, quality, seconds = self.form.rsplit(":", 2)
        return size, quality, seconds

    @property
    def told_status(self) -> str:
        return UNKNOWN if self.outcome is Outcome.UNKNOWN else self.status

    @property
    def charged_fen(self) -> int:
        return self.price_fen if self.outcome is Outcome.CHARGED else 0

    @property
    def holders(self) -> tuple[str, ...]:
        """Whose budgets it counts in."""
        return (f"team:{self.team}", f"key:{self.key}") if self.key else (f"team:{self.team}",)

    @property
    def tally(self) -> Tally:
        cost_fen = self.cost_fen if self.outcome is Outcome.CHARGED else None
        return Tally(
            at_ms=self.at_ms,
            team=self.team,
            key=self.key,
            model=self.model,
            account=self.account,
            status=self.told_status,
            tasks=1,
            charged_fen=self.charged_fen,
            cost_fen=cost_fen or 0,
        )


_TEXTS = ("task", "team", "key", "model", "form", "provider", "account", "provider_task", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Tasks that are alike in all that can be asked about; of one hour, or a single one."""

    at_ms: int
    team: str
    key: str
    model: str
    account: str
    status: str
    tasks: int
    charged_fen: int
    cost_fen: int


@dataclass(slots=True)
class Sums:
    """Of any number of tasks. Each is counted under one status: tasks is the sum of the four."""

    tasks: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    unknown: int = 0
    charged_fen: int = 0
    cost_fen: int = 0

    def add(self, tally: Tally) -> None:
        self.tasks += tally.tasks
        setattr(self, tally.status, getattr(self, tally.status) + tally.tasks)
        self.charged_fen += tally.charged_fen
        self.cost_fen += tally.cost_fen


SUMMED = tuple(each.name for each in fields(Sums))
GROUPS = ("team", "key", "model", "account", "status", "day", "hour")


def group_of(tally: Tally, group_by: Iterable[str], zone: tzinfo) -> tuple[str, ...]:
    """Where it belongs; days and hours are those of a zone's calendar."""
    return tuple(
        time_group(tally.at_ms, name, zone) if name in ("day", "hour") else getattr(tally, name)
        for name in group_by
    )


def time_group(at_ms: int, name: str, zone: tzinfo) -> str:
    """The day, like 2026-03-01, or the hour with its offset, like 2026-03-01T08:00+08:00."""
    local = datetime.fromtimestamp(at_ms / 1000, zone)
    if name == "day":
        return f"{local:%Y-%m-%d}"
    return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")


def tallies_of_hour(hour: str, sums: Mapping[str, str]) -> list[Tally]:
    """What the sums of an hour (2026-03-01T08, in UTC) say; see write_ledger in money.lua."""
    found: dict[str, dict[str, int]] = {}
    for name, value in sums.items():
        of, _, what = name.rpartition(" ")
        found.setdefault(of, {})[what] = int(value)
    tallies = []
    for of, counts in found.items():
        team, key, model, account, status, outcome = of.split(" ")
        tallies.append(
            Tally(
                at_ms=hour_ms(hour),
                team=team,
                key="" if key == NOBODY else key,
                model=model,
                account="" if account == NOBODY else account,
                status=UNKNOWN if outcome == Outcome.UNKNOWN else status,
                tasks=counts.get("n", 0),
                charged_fen=counts.get("fen", 0),
                cost_fen=counts.get("cost", 0),
            )
        )
    return tallies


def day_ms(day: str) -> int:
    """When a day of UTC begins."""
    return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000


def hour_ms(hour: str) -> int:
    """When an hour of UTC, like 2026-03-01T08, begins."""
    return day_ms(hour[:10]) + int(hour[11:]) * HOUR_MS


def day_of(at_ms: int) -> str:
    """The day of UTC that a moment lies in."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%d}"


def hour_of(at_ms: int) -> str:
    """The hour of UTC that a moment lies in."""
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%Y-%m-%dT%H}"

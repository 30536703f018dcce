"""What can be asked for among all tasks. Its words are judged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.domain.errors import InvalidField
from gateway.domain.task import ENDED, HOLDS_SLOT, Status, Task, is_overdue

OVERDUE = "overdue"
_SETS = {"running": HOLDS_SLOT, "ended": ENDED}
WORDS = (*(status.value for status in Status), *_SETS, OVERDUE)
_LARGEST_PAGE, _USUAL_PAGE = 200, 50
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuery:
    """Which tasks are meant: what was said must hold of each; newest first."""

    statuses: frozenset[Status] = frozenset()
    """Any of these; none said: any."""
    overdue: bool = False
    """Or overdue."""
    team: str | None = None
    account: str | None = None
    model: str | None = None
    key_id: str | None = None
    text: str = ""
    """In its ids, prompt or error, in whatever case."""
    from_ms: int | None = None
    to_ms: int | None = None
    limit: int = _USUAL_PAGE
    after: int | None = None
    """The place in the order of admission from which to go on backwards."""

    def fits(self, task: Task, now_seconds: float, max_age_seconds: float) -> bool:
        return (
            self._fits_status(task, now_seconds, max_age_seconds)
            and self.account in (None, task.account)
            and self.model in (None, task.request.model)
            and self.key_id in (None, task.key_id)
            and (self.to_ms is None or task.created_ms < self.to_ms)
            and (self.from_ms is None or task.created_ms >= self.from_ms)
            and (not self.text or any(self.text in each.lower() for each in _texts(task)))
        )

    def _fits_status(self, task: Task, now_seconds: float, max_age_seconds: float) -> bool:
        if not self.statuses and not self.overdue:
            return True
        return task.status in self.statuses or (
            self.overdue
            and is_overdue(task.status, task.submitted_ms, now_seconds, max_age_seconds)
        )


def read_task_query(
    said: Mapping[str, str], from_ms: int | None, to_ms: int | None, team: str | None
) -> TaskQuery:
    """What was asked: `status`, `account`, `model`, `key`, `q`, `limit`, `cursor`.

    Raises:
        InvalidField: naming the field, and what is right.
    """
    words = [word.strip() for word in said.get("status", "").split(",") if word.strip()]
    statuses: set[Status] = set()
    for word in words:
        if word not in WORDS:
            raise InvalidField(f"status must be some of {', '.join(WORDS)}", param="status")
        if word != OVERDUE:
            statuses |= _SETS.get(word) or {Status(word)}
    return TaskQuery(
        statuses=frozenset(statuses),
        overdue=OVERDUE in words,
        team=team,
        account=said.get("account"),
        model=said.get("model"),
        key_id=said.get("key"),
        text=said.get("q", "").strip().lower()[:_LONGEST_TEXT],
        from_ms=from_ms,
        to_ms=to_ms,
        limit=_number(said, "limit", f"1 to {_LARGEST_PAGE}", _LARGEST_PAGE) or _USUAL_PAGE,
        after=_number(said, "cursor", "one that an answer gave", 2**53),
    )


def _number(said: Mapping[str, str], name: str, what: str, most: int) -> int | None:
    text = said.get(name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:17]) <= most:
        raise InvalidField(f"{name} must be {what}", param=name)
    return int(text)


def _texts(task: Task) -> tuple[str, ...]:
    return (
        task.id,
        task.provider_task_id or "",
        task.request.client_request_id or "",
        task.request.prompt or "",
        f"{task.error.code} {task.error.message}" if task.error else "",
    )

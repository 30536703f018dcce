"""Step 4: end a task exactly once: keep the result, free the slot, hand it on."""

from __future__ import annotations

from gateway.domain.ports import Tasks
from gateway.domain.task import Claim, TaskError
from gateway.domain.video import Video
from gateway.lifecycle.persistence import until_stored


class Settlement:
    """Whoever learns of an end brings it here; all but the first are told that it is known."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def settle(
        self,
        task_id: str,
        claim_number: int,
        ending: tuple[Video, ...] | TaskError,
        model: str | None = None,
        age_seconds: float | None = None,
    ) -> tuple[Claim, ...]:
        """End the task with its videos or an error; return whom its slot went to.

        `age_seconds` is that of the look that found the end; None if none did.
        """
        _, claims = await until_stored(
            lambda: self._tasks.settle(task_id, claim_number, ending, model, age_seconds)
        )
        return claims

"""Step 2: submit a task that holds a slot, and record what became of the submit."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType

from gateway.domain.account import Account, ApiKey
from gateway.domain.durations import Variant, form_of
from gateway.domain.errors import StoreUnavailable
from gateway.domain.happenings import Answered, NotSent, Sent
from gateway.domain.ports import Journal, Provider, Tasks
from gateway.domain.provider_answers import Accepted, Lost, Refused, Rest, SubmitAnswer
from gateway.domain.task import Claim, Task
from gateway.domain.video import VideoRequest
from gateway.lifecycle.alarm import Alarm
from gateway.lifecycle.look_schedule import LookSchedule
from gateway.lifecycle.persistence import until_stored
from gateway.lifecycle.settlement import Settlement

log = logging.getLogger(__name__)


class _Unsent(Exception):
    """Found out at the last moment: this claim must not be sent. Raised before the first byte."""


class _ClaimGone(_Unsent):
    """It ran out or was cancelled; the task is in other hands, or in none."""


class Dispatcher:
    """Submits claimed tasks, each in an asyncio task of its own that no caller can cancel."""

    def __init__(
        self,
        tasks: Tasks,
        settlement: Settlement,
        providers: Mapping[str, Provider],
        accounts: Mapping[str, Account],
        read_accounts: Callable[[], Awaitable[None]],
        schedule: LookSchedule,
        alarm: Alarm,
        journal: Journal,
        *,
        send_window_seconds: float,
    ) -> None:
        """`read_accounts` reads them anew: a claim may be for one that was just made.
        `send_window_seconds`: a process that was held up for longer between its mark and the
        first byte does not send; by then the outcome may have been given up."""
        self._tasks = tasks
        self._settlement = settlement
        self._providers = providers
        self._accounts = accounts
        self._read_accounts = read_accounts
        self._schedule = schedule
        self._send_window_seconds = send_window_seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._alarm = alarm
        self._journal = journal

    def dispatch(
        self, claims: Iterable[Claim], known: Mapping[str, Task] = MappingProxyType({})
    ) -> None:
        """Start to submit these. `known` has tasks, with their images, that need not be read again.

        A process that stops gives them back instead, for others to claim.
        """
        for claim in claims:
            task = known.get(claim.task_id)
            work = self._return(claim) if self._stopping else self._submit(claim, task)
            submit = asyncio.create_task(work, name=f"submit {claim}")
            self._running[claim.task_id] = submit
            submit.add_done_callback(partial(self._forget, claim.task_id))

    async def wait(self, task_id: str, seconds: float) -> bool:
        """Wait for the outcome of a submit of this process; False if it takes longer.

        The submit goes on whatever becomes of the waiter: a client that leaves cannot cancel it.
        """
        submit = self._running.get(task_id)
        if submit is None:
            return True
        done, _ = await asyncio.wait({submit}, timeout=seconds)
        return bool(done)

    def stop(self) -> None:
        """Start nothing any more: whatever is dispatched from now on is given back."""
        self._stopping = True

    async def drain(self) -> None:
        """Wait until no submit is on the wire."""
        while self._running:
            await asyncio.wait(set(self._running.values()))

    def _forget(self, task_id: str, submit: asyncio.Task[None]) -> None:
        # A task that was given back may already be on its way again, under a new claim.
        if self._running.get(task_id) is submit:
            del self._running[task_id]

    async def _submit(self, claim: Claim, task: Task | None) -> None:
        try:
            claims = await self._attempt(claim, task)
        except StoreUnavailable:
            # Only what comes before the first byte raises this. The mark may stand though its
            # answer was lost: left alone it would hold the slot as an unknown outcome for hours.
            reason = "the store was away before the submit"
            claims = await until_stored(lambda: self._tasks.give_back(claim, None, reason))
        except Exception:
            # The claim's lease runs out and the task goes back; after the mark it is `unknown`.
            log.exception("task %s: claim %d was dropped", claim.task_id, claim.number)
            return
        self.dispatch(claims)

    async def _return(self, claim: Claim) -> None:
        """Give an unused claim back. Whoever frees the next slot, or the short loop, takes it."""
        try:
            await self._tasks.give_back(claim, None, "the process stops", hand_on=False)
        except StoreUnavailable:
            log.warning("task %s: the store is away, claim %d dropped", claim.task_id, claim.number)

    async def _attempt(self, claim: Claim, task: Task | None) -> tuple[Claim, ...]:
        account = self._accounts.get(claim.account)
        if account is None:
            await self._read_accounts()
            account = self._accounts.get(claim.account)
        if account is None:
            self._alarm.unknown(claim.account)
            return await self._tasks.give_back(
                claim, Rest.ACCOUNT, f"account {claim.account} is not known to this process"
            )
        # It may have been taken out since the claim was made; any other of the account will do.
        key = account.keys_from(claim.api_key_id)[0]
        if task is None:
            task = await self._tasks.with_images(claim.task_id)
            if task is None:
                return ()
        try:
            answer = await self._providers[account.provider].submit(
                *(account, key, claim.request_id, task.request),
                before_bytes=partial(self._mark, claim, task, account, key),
            )
        except _ClaimGone:
            return ()
        except _Unsent as error:
            self._journal.tell(NotSent(claim=claim, reason=str(error)))
            return await self._tasks.give_back(claim, None, str(error), hand_on=not self._stopping)
        self._journal.tell(
            Answered(claim=claim, task=task, provider=account.provider, answer=answer)
        )
        return await self._record(claim, account, key, task.request, answer)

    async def _mark(self, claim: Claim, task: Task, account: Account, key: ApiKey) -> None:
        """Mark the task `sending`: the last that is done before the first byte leaves.

        A connection stands by now, so one that cannot be made costs no doubt about the outcome.
        """
        if self._stopping:
            raise _Unsent("the process stops")
        asked_at = _seconds_since_boot()
        if not await self._tasks.mark_sending(claim, key.id):
            raise _ClaimGone
        held_up = _seconds_since_boot() - asked_at
        if held_up > self._send_window_seconds:
            raise _Unsent(f"held up for {held_up:.1f} s between the mark and the first byte")
        waited = max(0.0, time.time() - task.created_ms / 1000)
        self._journal.tell(
            Sent(claim=claim, task=task, provider=account.provider, waited_seconds=waited)
        )

    async def _record(
        self,
        claim: Claim,
        account: Account,
        key: ApiKey,
        request: VideoRequest,
        answer: SubmitAnswer,
    ) -> tuple[Claim, ...]:
        match answer:
            case Accepted(provider_task_id, served_model):
                variant = Variant(account.provider, request.model, form_of(request))
                first_look = self._schedule.first(variant)
                self._alarm.accepted(account, key)
                recorded, claims = await until_stored(
                    lambda: self._tasks.record_accepted(
                        claim, provider_task_id, served_model, first_look
                    )
                )
                if not recorded:
                    log.error(
                        "task %s had been given up when %s accepted it as %s",
                        *(claim.task_id, account.name, provider_task_id),
                    )
                return claims
            case Lost(reason):
                await until_stored(lambda: self._tasks.record_lost(claim, reason))
                return ()
            case Refused(reason, _, error) if error is not None:
                return await self._settlement.settle(claim.task_id, claim.number, error)
            case Refused(reason, rest, _):
                self._alarm.refused(account, key, rest, reason)
                answered = rest is not Rest.UNREACHABLE
                return await until_stored(
                    lambda: self._tasks.give_back(claim, rest, reason, answered=answered)
                )


def _seconds_since_boot() -> float:
    """A clock that also counts while the machine sleeps, where there is one (Linux)."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()

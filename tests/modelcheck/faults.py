"""The faults that can be planted in the model, one at a time."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Each is a mistake that somebody could make in the scripts or in the dispatcher."""

    SENDING_REQUEUED = "a sending task whose lease is over is queued again"
    LOST_IS_REFUSED = "a lost answer counts as not accepted"
    HOLD_TOO_SHORT = "an unknown outcome is given up while the vendor may be at it"
    NO_SEND_WINDOW = "a process that was held up after its mark sends all the same"
    STALE_CLAIM_MARKS = "the mark does not check the claim number"
    STALE_CLAIM_GIVES_BACK = "giving back does not check the claim number"
    MARKS_ANYTHING = "the mark does not check the status"
    SENDS_WITHOUT_ANSWER = "a process whose mark was not answered sends all the same"
    CANCEL_FREES_SENT = "a cancel ends what was sent, too"
    CANCEL_FORGOTTEN = "giving back does not look at the cancel mark"
    SETTLES_TWICE = "settling is no compare-and-set"
    LATE_ANSWER_REFUSED = "an answer is not taken in once the outcome is unknown"
    ANSWER_REVIVES = "an answer is taken in whatever the status"
    UNKNOWN_FREES_SLOT = "a lost answer frees the slot at once"
    EXPIRED_CLAIM_KEEPS_SLOT = "a claim that ran out leaves its slot taken"
    ONE_SLOT_TOO_MANY = "a slot is taken when the limit is reached, not only below it"
    CAP_FORGETS_TRANSIT = "the cap on unknown outcomes does not count what is on the way"
    TRIAL_LETS_ALL_GO = "once the breaker's pause is over, all may go at once"
    BREAKER_DOES_NOT_WAIT = "the breaker tries again without a pause"
    BREAKER_NEVER_TRIES = "the breaker never tries again"
    SENDING_NEVER_SWEPT = "nobody sweeps up what a dead process was sending"
    UNKNOWN_NEVER_SWEPT = "the hold of an unknown outcome is never over"

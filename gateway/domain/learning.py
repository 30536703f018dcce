"""What looks tell of durations. They never see an end, only that it lies between two looks.

So each end seen is a span of ages: after the last look that said "running", up to the one that
found the end. To read the end's age as either of the two would be wrong in one direction, and the
more so the fewer looks there are. Instead a span stands for several ages, first evenly spread over
it; then, knowing all of them together, each span's ages are moved to where ages are dense within
it (a step of what Turnbull's estimate repeats for ever; more steps only make spikes). A look that
came far later than the one before it, because the store was away, tells nothing, and is left out.

**A task that its first look found ended** tells only by when, and nothing forbids an end just after
the start. Two easy readings are wrong for ever. Taken as having ended just then, no task is ever
seen to end before the first look, which so never comes earlier, however fast the vendor has become.
Spread from 0 on, the shortest duration known sinks far below the truth, and looks are wasted there.

Here the shortest duration is guessed by continuing what is known: the tasks found at their first
look are spread below it over a stretch as wide as the one above it in which as many others ended.

- The vendor has become faster: more are found at the first look and fewer above, so the stretch
  grows, down to 0 where no others are left. Looks come earlier until they find tasks that run.
- He has not: a look that comes too early says "running". That is a true lower bound, its task is no
  longer one that the first look found, and the stretch shrinks. So it cannot creep downwards.

At the other end nothing of the kind is needed: what takes longer than all before is looked at until
it is over, and found between two looks as all others.

Only the latest ends count, so a vendor that changes is followed within as many. They are spread
over somewhat longer than a task takes, or tasks that began together would tell of one duration
at a time: those that end now took about as long as it is since they began.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

from gateway.domain.durations import Expectation, Seen

KEPT = 64
"""So many of the latest ends are kept. Twice as many waste no less, and follow half as fast."""
A_DURATION = 48
"""And, once so many are kept, at most so many in the time that a task takes."""
FEWEST = 8
"""Fewer tell less than what was said beforehand."""

_AGES_A_SPAN = 4
_SPANS_A_STRETCH = 8
# Such a multiple of the age at the look before is far later than any plan has it.
_FAR_LATER = 4
# Nothing is known more exactly than this share of an age; and what always takes equally long is
# expected over a stretch that is not empty.
_RESOLUTION = 0.005


def learned(seen: Sequence[Seen]) -> Expectation | None:
    """What these ends make us expect; None while they are too few."""
    spans = _with_starts(seen)
    if len(spans) < FEWEST:
        return None
    ages = _moved(spans, sorted(age for span in spans for age in _evenly(span)))
    stretches = max(2, len(spans) // _SPANS_A_STRETCH)
    edges = [_age_at(ages, i / stretches * (len(ages) - 1)) for i in range(stretches + 1)]
    # Of so many and one more, the next is outside of all before with this chance, at either end.
    unseen = (edges[-1] - edges[0]) / (len(spans) + 1)
    edges[0] = max(0.0, edges[0] * (1 - _RESOLUTION) - unseen)
    edges[-1] = edges[-1] * (1 + _RESOLUTION) + unseen
    return Expectation(tuple(edges))


def _with_starts(seen: Sequence[Seen]) -> list[Seen]:
    """The spans that tell something, each with a start: those of first looks get one here."""
    first_looks = sorted(span.by for span in seen if not span.after)
    found_later = [span for span in seen if span.after and span.by <= span.after * _FAR_LATER]
    if not first_looks:
        return found_later
    middle = first_looks[len(first_looks) // 2]
    above = sorted(age for span in found_later if (age := (span.after + span.by) / 2) > middle)
    # Where fewer ended above, all of these are taken as a measure; where none did, there is none.
    as_many = min(len(first_looks), len(above))
    stretch = (above[as_many - 1] - middle) * len(first_looks) / as_many if above else math.inf
    return found_later + [
        Seen(max(0.0, by - max(stretch, by * _RESOLUTION)), by)
        for by in first_looks
        if by <= middle * _FAR_LATER
    ]


def _evenly(span: Seen) -> list[float]:
    step = (span.by - span.after) / _AGES_A_SPAN
    return [span.after + (i + 0.5) * step for i in range(_AGES_A_SPAN)]


def _moved(spans: Sequence[Seen], ages: list[float]) -> list[float]:
    """Each span's ages anew, as dense in it as all of these ages are."""
    moved: list[float] = []
    for span in spans:
        ranks = Seen(_rank_of(ages, span.after), _rank_of(ages, span.by))
        moved += (min(max(_age_at(ages, r), span.after), span.by) for r in _evenly(ranks))
    return sorted(moved)


def _rank_of(ages: list[float], age: float) -> float:
    """How many of the ages lie below, with a fraction for where it lies between two."""
    i = bisect_left(ages, age)
    if i == 0:
        return 0.0
    if i == len(ages):
        return len(ages) - 1.0
    below, above = ages[i - 1], ages[i]
    return i - 1 + (age - below) / (above - below)


def _age_at(ages: list[float], rank: float) -> float:
    i = min(int(rank), len(ages) - 2)
    return ages[i] + (rank - i) * (ages[i + 1] - ages[i])

"""How long tasks take: which are told apart, and what is expected of them. Plain arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.domain.video import VideoRequest


@dataclass(frozen=True, slots=True)
class Variant:
    """Tasks that are thought to take equally long: a vendor, a model, and a form of its videos."""

    provider: str
    model: str
    form: str = ""
    """Size, quality and length of the video, as `form_of` writes them; empty: of any form."""

    @property
    def of_any_form(self) -> Variant:
        return Variant(self.provider, self.model)


def form_of(request: VideoRequest) -> str:
    """What of a request decides how long it takes, as one word.

    The catalogue names what each part may be, so there are only so many.
    """
    parts = (request.size, request.quality, request.duration_seconds)
    return ":".join("-" if part is None else str(part) for part in parts)


@dataclass(frozen=True, slots=True)
class Seen:
    """An end as looks saw it. The vendor does not say when it was; only between which two."""

    after: float
    """The age, in seconds since acceptance, at which it was last said to run; 0: at no look."""
    by: float
    """The age at which it was found to be over."""


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """How many tasks are over at which age, in seconds since acceptance.

    As many end between any two neighbours of `ages` as between any other two, evenly in between.
    Nothing is known of what takes longer than the last.
    """

    ages: Sequence[float]
    guessed: bool = False
    """Nobody said it, and nothing was seen."""
    seconds: float = field(init=False)
    """How long a task holds its slot, on average."""
    _middles: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        middles = tuple((a + b) / 2 for a, b in pairwise(self.ages))
        object.__setattr__(self, "_middles", middles)
        object.__setattr__(self, "seconds", sum(middles) / len(middles))

    def progress(self, running_seconds: float) -> int:
        """How far a task that runs for so long is thought to be: 0 to 99, and never backwards."""
        running = max(0.0, running_seconds)
        done = sum(min(1.0, running / middle) for middle in self._middles) / len(self._middles)
        return min(99, int(100 * done))


# No vendor publishes how long a video takes; users tell of one to a few minutes.
GUESS = Expectation((60.0, 60.0), guessed=True)

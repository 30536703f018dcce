"""Teams: the internal tenants that call us."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.domain.errors import AuthenticationFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A tenant with a cap on its tasks in flight, all models together."""

    name: str
    cap: int
    weight: float = 1.0
    """Its share of the slots while others wait as well: twice the weight, twice the tasks."""
    rejects_overflow: bool = False
    """Whether its requests are refused, unless they say otherwise, when they would have to wait."""


def key_digest(key: str) -> str:
    """The only form in which a team's key is kept. Keys are long and random: no stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


class TeamDirectory:
    """Finds the team behind a key. Holds digests, never keys."""

    def __init__(self, teams: Iterable[Team], teams_by_digest: Mapping[str, str]) -> None:
        self._teams = {team.name: team for team in teams}
        self._teams_by_digest = dict(teams_by_digest)

    def authenticate(self, key: str) -> Team:
        """Return the team that owns this key.

        Raises:
            AuthenticationFailed: nobody owns it.
        """
        # Compared by digest, so how long a look-up takes tells nothing about the keys kept here.
        name = self._teams_by_digest.get(key_digest(key))
        if name is None:
            raise AuthenticationFailed("this API key is not known here")
        return self._teams[name]

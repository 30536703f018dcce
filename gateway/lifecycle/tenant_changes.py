"""What an operator does to teams, their keys, the price book and other operators, through the API
or at the keyboard.

Each step reads anew what is kept, judges what was said, and writes it if nobody was faster. Who was
slower is told so: nothing is tried again in silence, since it was said of what is there no more.
"""

from __future__ import annotations

from gateway.domain.ports import Tenants
from gateway.lifecycle.key_changes import KeyChanges
from gateway.lifecycle.operator_changes import OperatorChanges
from gateway.lifecycle.price_changes import PriceChanges
from gateway.lifecycle.team_changes import TeamChanges


class TenantChanges:
    """All of it, by what is changed."""

    def __init__(self, tenants: Tenants) -> None:
        self.teams = TeamChanges(tenants)
        self.keys = KeyChanges(tenants)
        self.prices = PriceChanges(tenants)
        self.operators = OperatorChanges(tenants)

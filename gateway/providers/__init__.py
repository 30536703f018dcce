"""Vendors that we can generate with. A new one is a file here and a line in the table below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.domain.ports import CannotExpress, Provider
from gateway.providers import bigmodel, geekai
from gateway.providers.http import ProviderHttp


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """How to make the provider, where its API stands and what it charges unless an account says
    otherwise, and what it has no words for."""

    make: Callable[[ProviderHttp], Provider]
    base_url: str
    cannot_express: CannotExpress
    costs_fen: Mapping[str, int] = field(default_factory=dict)
    """By model, what it publishes as the price of a video."""


PROVIDERS: Mapping[str, ProviderKind] = {
    "bigmodel": ProviderKind(
        bigmodel.BigModel,
        "https://open.bigmodel.cn/api/paas/v4",
        bigmodel.cannot_express,
        # https://docs.bigmodel.cn/cn/guide/models/video-generation/cogvideox-3: 1 yuan a video.
        {"cogvideox-3": 100},
    ),
    # Its prices stand on a page that changes with the day (geekai.co/models): an account says them.
    "geekai": ProviderKind(geekai.GeekAI, "https://geekai.co/api/v1", geekai.cannot_express),
}

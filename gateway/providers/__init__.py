"""Vendors that we can generate with. A new one is a file here and a line in the table below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.domain.ports import CannotExpress, Provider
from gateway.providers import bigmodel, geekai
from gateway.providers.http import ProviderHttp


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """How to make the provider, where its API stands unless an account says otherwise, and what
    it has no words for."""

    make: Callable[[ProviderHttp], Provider]
    base_url: str
    cannot_express: CannotExpress


PROVIDERS: Mapping[str, ProviderKind] = {
    "bigmodel": ProviderKind(
        bigmodel.BigModel, "https://open.bigmodel.cn/api/paas/v4", bigmodel.cannot_express
    ),
    "geekai": ProviderKind(geekai.GeekAI, "https://geekai.co/api/v1", geekai.cannot_express),
}

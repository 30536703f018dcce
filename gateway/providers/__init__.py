"""Vendors that we can generate with. A new one is a file here and a line in the table below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.domain.ports import Provider
from gateway.providers.bigmodel import BigModel
from gateway.providers.http import ProviderHttp


@dataclass(frozen=True, slots=True)
class ProviderKind:
    """How to make the provider, and where its API stands unless an account says otherwise."""

    make: Callable[[ProviderHttp], Provider]
    base_url: str


PROVIDERS: Mapping[str, ProviderKind] = {
    "bigmodel": ProviderKind(BigModel, "https://open.bigmodel.cn/api/paas/v4"),
}

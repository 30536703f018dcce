"""Vendors that we can generate with. A new one is a file here and a line in the table below."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.domain.ports import Provider
from gateway.providers.bigmodel import BigModel
from gateway.providers.http import VendorHttp

PROVIDERS: Mapping[str, Callable[[VendorHttp], Provider]] = {
    "bigmodel": BigModel,
}

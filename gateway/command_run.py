"""How a command is run: with the settings, quietly; and what is refused becomes one line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import click

from gateway.configuration import load_settings
from gateway.logs import configure_logging
from gateway.settings import Settings


def quiet_settings() -> Settings:
    """The settings; of the log, no more than what a person at a keyboard has to know."""
    settings = load_settings()
    configure_logging("warning")
    return settings


def perform(work: Coroutine[Any, Any, Any]) -> Any:
    """Do it; what is refused becomes one line."""
    from gateway.domain.errors import GatewayError, StoreUnavailable

    try:
        return asyncio.run(work)
    except StoreUnavailable:
        raise
    except GatewayError as error:
        raise click.ClickException(error.message) from None

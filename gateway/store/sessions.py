"""Browsers that an operator has signed in with: the digest of what each shows, and whose it is."""

from __future__ import annotations

import secrets

from gateway.domain.operators import SESSION_SECONDS
from gateway.domain.team import key_digest
from gateway.store.connection import Store

_SECRET_BYTES = 32


class SessionStore:
    """Fits the port `Sessions`. Whoever reads the store can sign in with nothing of it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, value: str) -> str:
        """Keep whose it is for `SESSION_SECONDS`; return the browser's secret.

        Raises:
            StoreUnavailable: it may be kept, but nobody knows the secret.
        """
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        kept = self._store.redis.set(self._key(secret), value, px=SESSION_SECONDS * 1000)
        await self._store.answer("begin_session", kept)
        return secret

    async def value_of(self, secret: str) -> str | None:
        """Whose it is; None if it is over, or never was.

        Raises:
            StoreUnavailable: nobody knows.
        """
        value = await self._store.answer("read_session", self._store.redis.get(self._key(secret)))
        return None if value is None else str(value)

    async def end(self, secret: str) -> None:
        """Forget it, if there is one.

        Raises:
            StoreUnavailable: it may go on.
        """
        await self._store.answer("end_session", self._store.redis.delete(self._key(secret)))

    def _key(self, secret: str) -> str:
        return self._store.keys.session(key_digest(secret))

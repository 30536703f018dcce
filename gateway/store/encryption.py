"""Account keys as they lie in the store: AES-256-GCM, under one of several secrets.

A sealed key reads `v1:<version>:<base64 of nonce and ciphertext>`. The version is a fingerprint of
the secret that it is under, so that several can be in use while one takes the place of another.
What belongs together is sealed together: pool, account and key id are authenticated with it, so a
sealed key that is put elsewhere does not open.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.domain.account import ApiKey, CannotOpen

_FORMAT = "v1"
_NONCE_BYTES = 12  # what GCM is specified for; random, and never twice under one key in practice


class Cipher:
    """Seals with the first of its secrets, opens with any."""

    def __init__(self, secrets: Sequence[str], pool: str) -> None:
        """`secrets` are texts of high entropy, 32 characters or more."""
        self._pool = pool
        self._keys = {
            _derived(s, b"version", 4).hex(): AESGCM(_derived(s, b"key")) for s in secrets
        }
        self.version, *self.older_versions = self._keys
        """Of the first secret, and of the others."""

    def seal(self, key: ApiKey, account: str) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self.version].encrypt(
            nonce, key.secret.encode(), self._bound_to(account, key.id)
        )
        return f"{_FORMAT}:{self.version}:{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, account: str, key_id: str) -> ApiKey:
        """The key again.

        Raises:
            CannotOpen: its secret is not among ours, or it is not what was sealed for this account.
        """
        form, _, rest = sealed.partition(":")
        version, _, text = rest.partition(":")
        if form != _FORMAT or version not in self._keys:
            raise CannotOpen(f"no secret of version {version or '?'} is in GATEWAY_SECRET_KEY")
        try:
            raw = base64.b64decode(text, validate=True)
            secret = self._keys[version].decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self._bound_to(account, key_id)
            )
        except (InvalidTag, ValueError):
            raise CannotOpen(f"key {key_id} of {account} is damaged, or another's") from None
        return ApiKey(secret.decode())

    def is_newest(self, sealed: str) -> bool:
        """Whether it is under the first secret."""
        return sealed.startswith(f"{_FORMAT}:{self.version}:")

    def _bound_to(self, account: str, key_id: str) -> bytes:
        return "\n".join((self._pool, account, key_id)).encode()


def _derived(secret: str, use: bytes, length: int = 32) -> bytes:
    """Keying material of its own for each use of a secret."""
    info = b"cogvideo-gateway account keys: " + use
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret.encode())

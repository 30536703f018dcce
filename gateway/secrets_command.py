"""`gateway secrets rotate`: put the account keys in the store under another secret."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from click import ClickException

from gateway.bootstrap import KEY_FILE, Pool, read_pool, secret_keys
from gateway.domain.account import CannotOpen
from gateway.keyboard import existing_store
from gateway.settings import Settings


async def rotate(settings: Settings) -> str:
    """Encrypt all kept keys with the first secret; return what was done, as a sentence.

    Raises:
        ClickException: a key does not open with any of the secrets.
    """
    with existing_store(settings) as url:
        if settings.secret_key is not None:
            async with read_pool(settings, url) as pool:
                done = await _reseal(pool)
            return f"{done}; all are under the first secret, so the others may be taken out now"
        with _one_at_a_time(settings.data_dir / f"{KEY_FILE}.lock"):
            return await _rotate_file(settings, url, settings.data_dir / KEY_FILE)


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two rotations at once would each drop the other's new secret."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClickException("a rotation is under way already") from None
        yield


async def _rotate_file(settings: Settings, url: str, path: Path) -> str:
    """Each step leaves a file that opens all there is, so this may end anywhere and begin again.

    Processes that run read the file anew when they meet a key under a secret that they lack.
    """
    known = secret_keys(settings)
    if len(known) == 1:  # else an earlier rotation did not come to its end: go on with its secret
        known = [secrets.token_hex(32), *known]
        _write(path, known)
    async with read_pool(settings, url) as pool:
        done = await _reseal(pool)
        _write(path, known[:1])
        await pool.accounts.refresh()
        if pool.accounts.left_under_old_secrets():
            # Somebody made an account in that very moment, with what was the first secret then.
            _write(path, known)
            raise ClickException("an account was changed meanwhile; run this again")
    return f"{done}; {path} has a new secret, and the old one is gone"


async def _reseal(pool: Pool) -> str:
    try:
        count = await pool.accounts.reseal()
    except CannotOpen as error:
        raise ClickException(f"{error}: put it back, then run this again") from None
    return f"{count} {'key was' if count == 1 else 'keys were'} encrypted anew"


def _write(path: Path, lines: Sequence[str]) -> None:
    """Replace the file in one step, and see that it is on disk before anything depends on it."""
    new = path.with_suffix(f".{secrets.token_hex(4)}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

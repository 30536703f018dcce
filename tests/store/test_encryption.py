"""Account keys as they lie in the store."""

from __future__ import annotations

import pytest

from gateway.domain.account import ApiKey, CannotOpen
from gateway.store.encryption import Cipher

OLD, NEW = "an old secret of many characters", "a new secret, of many characters"
KEY = ApiKey("0123456789abcdef.secret-of-the-vendor")


def test_what_was_sealed_opens_again_and_shows_nothing():
    cipher = Cipher([OLD], "default")
    sealed = cipher.seal(KEY, "main")
    assert cipher.open(sealed, "main", KEY.id) == KEY
    assert KEY.secret not in sealed
    assert sealed != cipher.seal(KEY, "main"), "equal keys can be told to be equal"


@pytest.mark.parametrize(
    ("pool", "account", "key_id"),
    [("other", "main", KEY.id), ("default", "other", KEY.id), ("default", "main", "0" * 12)],
)
def test_it_opens_nowhere_else(pool: str, account: str, key_id: str):
    sealed = Cipher([OLD], "default").seal(KEY, "main")
    with pytest.raises(CannotOpen, match="damaged, or another's"):
        Cipher([OLD], pool).open(sealed, account, key_id)


def test_any_of_several_secrets_opens_and_the_first_seals():
    sealed = Cipher([OLD], "default").seal(KEY, "main")
    both = Cipher([NEW, OLD], "default")
    assert both.open(sealed, "main", KEY.id) == KEY
    assert not both.is_newest(sealed)
    assert both.is_newest(both.seal(KEY, "main"))
    assert Cipher([NEW], "default").open(both.seal(KEY, "main"), "main", KEY.id) == KEY


def test_an_unknown_secret_is_told_by_its_version():
    sealed = Cipher([OLD], "default").seal(KEY, "main")
    with pytest.raises(CannotOpen, match=sealed.split(":")[1]) as told:
        Cipher([NEW], "default").open(sealed, "main", KEY.id)
    assert OLD not in str(told.value)
    assert KEY.secret not in str(told.value)


@pytest.mark.parametrize("damaged", ["", "v1", "v1::", "v2:00000000:AAAA", "plain-key"])
def test_what_is_no_sealed_key_does_not_open(damaged: str):
    with pytest.raises(CannotOpen):
        Cipher([OLD], "default").open(damaged, "main", KEY.id)


def test_a_changed_byte_is_found():
    cipher = Cipher([OLD], "default")
    sealed = cipher.seal(KEY, "main")
    for at in (len(sealed) - 10, sealed.rindex(":") + 3):
        other = "A" if sealed[at] != "A" else "B"
        with pytest.raises(CannotOpen):
            cipher.open(sealed[:at] + other + sealed[at + 1 :], "main", KEY.id)

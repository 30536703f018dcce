"""Customer accounts: what each may have in flight, and whose key a request came with."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.simulator.errors import Reason, VendorError
from gateway.simulator.settings import Span

TIERS = {"V0": 5, "V1": 10, "V2": 15, "V3": 20}

VendorName = Literal["bigmodel", "geekai"]
Limit = Annotated[int, Field(ge=0)]
Key = Annotated[str, Field(min_length=1)]


class AccountBody(BaseModel):
    """An account without its name, as `PUT /simulator/accounts/{name}` takes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: VendorName = Field(
        default="bigmodel", description="Whose API its keys are for; the other's does not know them"
    )
    tier: Literal["V0", "V1", "V2", "V3"] | None = None
    limit: Limit | None = Field(default=None, description="In place of a tier")
    limits: dict[str, Limit] = Field(default={}, description="By model, where it differs")
    api_keys: list[Key] = Field(min_length=1)
    revoked_keys: list[Key] = Field(
        default=[], description="Some of api_keys; refused with 1002; geekai: 401"
    )
    arrears: bool = Field(default=False, description="Submits are refused with 1113; geekai: 402")
    duration: Span | None = Field(default=None, description="In place of the setting of that name")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.tier is None) == (self.limit is None):
            raise ValueError("give either a tier or a limit")
        if strangers := set(self.revoked_keys) - set(self.api_keys):
            raise ValueError(f"revoked_keys not among api_keys: {', '.join(sorted(strangers))}")
        return self


class Account(AccountBody):
    name: str = Field(min_length=1, max_length=100)

    def limit_of(self, model: str) -> int:
        plain = TIERS[self.tier] if self.tier is not None else self.limit
        return self.limits.get(model, plain or 0)

    def patched(self, changes: dict[str, object]) -> "Account":
        """A limit takes the place of a tier and the other way round."""
        merged = self.model_dump() | changes
        for one, other in (("tier", "limit"), ("limit", "tier")):
            if one in changes and other not in changes:
                merged[other] = None
        return Account.model_validate(merged | {"name": self.name})


class Accounts:
    """All accounts, and the owner of every key."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._by_name: dict[str, Account] = {}
        self._by_key: dict[str, Account] = {}
        for account in accounts:
            if account.name in self._by_name:
                raise ValueError(f"two accounts are called {account.name}")
            self.put(account)

    def put(self, account: Account) -> None:
        for key in account.api_keys:
            owner = self._by_key.get(key)
            if owner is not None and owner.name != account.name:
                raise ValueError(f"key {key} belongs to account {owner.name}")
        if (old := self._by_name.get(account.name)) is not None:
            for key in old.api_keys:
                self._by_key.pop(key, None)
        self._by_name[account.name] = account
        self._by_key.update(dict.fromkeys(account.api_keys, account))

    def get(self, name: str) -> Account | None:
        return self._by_name.get(name)

    def all(self) -> list[Account]:
        return list(self._by_name.values())

    def key(self, authorization: str | None) -> str | None:
        """The key that an Authorization header has, even a revoked one; None if nobody's."""
        _, _, key = (authorization or "").partition(" ")
        return key if key in self._by_key else None

    def caller(self, authorization: str | None, vendor: VendorName) -> tuple[Account, str]:
        """The account and the key that an Authorization header stands for at this vendor."""
        if not authorization:
            raise VendorError(Reason.NO_KEY)
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise VendorError(Reason.NOT_BEARER, "the scheme is not Bearer")
        account = self._by_key.get(key)
        if account is None or account.vendor != vendor:
            raise VendorError(Reason.UNKNOWN_KEY, "unknown key")
        if key in account.revoked_keys:
            raise VendorError(Reason.UNKNOWN_KEY, "revoked key")
        return account, key

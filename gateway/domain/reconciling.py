"""The vendor's bill against our ledger, request by request. Whole fen."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from gateway.domain.task import Outcome
from gateway.domain.usage import Entry

COLUMNS = ("request_id", "amount_fen")
_REQUEST_ID = re.compile(r"(.+)-(\d+)")


@dataclass(frozen=True, slots=True)
class BilledLine:
    """A line of the vendor's bill, by its number in the file."""

    number: int
    request_id: str
    amount_fen: int


class BadBill(Exception):
    """Lines that cannot be read, each named by its number. Nothing was compared."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def read_bill(text: str) -> list[BilledLine]:
    """Read CSV with a request_id and an amount in whole fen a line; a header is skipped.

    Raises:
        BadBill: naming each line that is something else.
    """
    lines: list[BilledLine] = []
    faults: list[str] = []
    rows = csv.reader(text.removeprefix("\ufeff").splitlines(), strict=True)
    while True:
        try:
            row = [cell.strip() for cell in next(rows)]
        except StopIteration:
            break
        except csv.Error as error:
            faults.append(f"line {rows.line_num}: {error}")
            continue
        number = rows.line_num
        if not any(row) or (not lines and not faults and tuple(map(str.lower, row)) == COLUMNS):
            continue
        if len(row) != len(COLUMNS) or not row[0]:
            faults.append(f"line {number}: must have a request_id and an amount_fen")
        elif re.fullmatch(r"\d{1,12}", row[1], re.ASCII) is None:
            faults.append(f"line {number}: amount_fen must be a whole number of fen, like 100")
        else:
            lines.append(BilledLine(number, row[0], int(row[1])))
    if faults:
        raise BadBill(faults)
    return lines


def split_request_id(request_id: str) -> tuple[str, int] | None:
    """The task and the number of its claim; None if it is none of ours."""
    found = _REQUEST_ID.fullmatch(request_id)
    return (found[1], int(found[2])) if found else None


@dataclass(slots=True)
class Reconciliation:
    """Takes the entries of the ledger one by one, and tells at the end what does not agree."""

    bill: list[BilledLine]
    account: str | None = None
    """Whose bill it is; None: that of all accounts."""
    agreed: int = 0
    agreed_fen: int = 0
    without_cost: int = 0
    """Of the agreed, those of which nobody told us what the vendor charges."""
    _open: dict[str, BilledLine] = field(init=False)
    """By request_id, what has met no entry yet."""
    _by_task: dict[str, list[BilledLine]] = field(init=False)
    _differences: list[str] = field(init=False, default_factory=list)
    _not_billed: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._open, self._by_task = {}, {}
        for line in self.bill:
            if (first := self._open.setdefault(line.request_id, line)) is not line:
                self._differences.append(
                    f"{line.request_id}: is billed twice, in the lines {first.number} and "
                    f"{line.number}"
                )
        for line in self._open.values():
            if (found := split_request_id(line.request_id)) is not None:
                self._by_task.setdefault(found[0], []).append(line)

    @property
    def unmatched(self) -> Collection[str]:
        """Tasks of the bill that no entry was seen of yet."""
        lines = self._open.values()
        return {found[0] for line in lines if (found := split_request_id(line.request_id))}

    def take(self, entry: Entry, *, expected: bool = True) -> None:
        """Hold an entry against the bill; `expected`: if it is charged it must be there."""
        its_own = False
        for line in self._by_task.get(entry.task, ()):
            if self._open.pop(line.request_id, None) is None:
                continue
            its_own = its_own or line.request_id == entry.request_id
            self._compare(line, entry)
        theirs = self.account is None or entry.account == self.account
        if expected and theirs and not its_own and entry.outcome is Outcome.CHARGED:
            self._not_billed.append(
                f"{entry.request_id}: we charged {entry.price_fen} fen to {entry.team} "
                f"({entry.account}), the vendor bills nothing"
            )

    def _compare(self, line: BilledLine, entry: Entry) -> None:
        billed = f"{line.request_id}: the vendor bills {line.amount_fen} fen"
        if line.request_id != entry.request_id:
            self._differences.append(
                f"{billed}; we counted attempt {entry.claim} of this task, which is "
                f"{entry.told_status}, and not this one"
            )
        elif self.account is not None and entry.account != self.account:
            self._differences.append(f"{billed}; it was made with {entry.account}")
        elif entry.outcome is not Outcome.CHARGED:
            why = "its outcome is unknown" if entry.outcome is Outcome.UNKNOWN else entry.status
            where = entry.account or "no account"
            self._differences.append(
                f"{billed}, we charged nothing to {entry.team}: {why} ({where})"
            )
        elif entry.cost_fen is not None and entry.cost_fen != line.amount_fen:
            self._differences.append(f"{billed}, {entry.cost_fen} fen were expected")
        else:
            self.agreed += 1
            self.agreed_fen += line.amount_fen
            self.without_cost += entry.cost_fen is None

    def differences(self, standing: Callable[[str], str | None]) -> Iterator[str]:
        """All; `standing` tells of a task without an entry how it stands, if it knows it."""
        yield from self._differences
        for line in self._open.values():
            found = split_request_id(line.request_id)
            status = standing(found[0]) if found else None
            known = f"the task is {status}, so it has no entry yet" if status else ""
            yield (
                f"{line.request_id}: the vendor bills {line.amount_fen} fen; "
                f"{known or 'we know no such request'} (line {line.number})"
            )
        yield from self._not_billed

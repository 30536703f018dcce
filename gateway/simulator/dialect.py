"""What sets one vendor's wire apart from the other's; `wire.py` holds what they share."""

from abc import ABC, abstractmethod
from typing import ClassVar

from gateway.simulator import faults
from gateway.simulator.accounts import VendorName
from gateway.simulator.connection import Answer, Client
from gateway.simulator.errors import Envelope, Refusal, VendorError
from gateway.simulator.parameters import Schema
from gateway.simulator.state import Simulator
from gateway.simulator.tasks import Task
from gateway.simulator.vendor import Vendor


class Dialect(ABC):
    vendor: ClassVar[VendorName]
    schema: ClassVar[Schema]
    running: ClassVar[str]
    """The status of a task that has not ended."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    @property
    @abstractmethod
    def envelope(self) -> Envelope: ...

    @abstractmethod
    def refusal(self, error: VendorError) -> Refusal: ...

    @abstractmethod
    def fault(self, rule: faults.ErrorAnswer) -> Refusal:
        """The error that a fault asks for, with what it leaves open."""

    @abstractmethod
    def accepted(self, client: Client, vendor: Vendor, task: Task) -> Answer: ...

    @abstractmethod
    def with_status(self, task: Task, word: str) -> dict[str, object]:
        """The body while there is nothing but a status to tell."""

    @abstractmethod
    def told(self, client: Client, task: Task) -> dict[str, object]:
        """The body of a look, with the outcome if there is one."""


def reason(failure: faults.TaskFails, usual: faults.FailureShape) -> dict[str, object]:
    match failure.shape or usual:
        case "error_object":
            return {"error": {"code": failure.code, "message": failure.message}}
        case "error_text":
            return {"error": failure.message}
        case "message":
            return {"message": failure.message}
        case "status_only":
            return {}

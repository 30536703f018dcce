"""How each dialect tells of an error. Walks the tree of errors, so that no new one is forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from starlette.requests import Request

from gateway.api.edge import error_response
from gateway.domain import errors
from gateway.domain.errors import (
    ConflictingFields,
    GatewayError,
    InvalidField,
    MalformedBody,
    MissingApiKey,
    MissingField,
    NoFreeSlot,
    NotFound,
    NotQueued,
    NotSupported,
    PromptTooLong,
    QueueFull,
    RefusedByProvider,
    UnknownModel,
)
from tests.dialects.samples import BY_NAME
from tests.providers.test_bigmodel_errors import DOCUMENTED

DIGITS = {
    MissingApiKey: "1001",
    errors.AuthenticationFailed: "1002",
    MalformedBody: "1210",
    UnknownModel: "1211",
    NotSupported: "1212",
    MissingField: "1213",
    InvalidField: "1214",
    ConflictingFields: "1215",
    PromptTooLong: "1261",
    errors.BudgetExceeded: "1113",
    errors.TooManySubmits: "1303",
    QueueFull: "1302",
    NoFreeSlot: "1302",
}


def tree(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from tree(below)


ALL = list(tree(GatewayError))


def one(kind: type[GatewayError]) -> GatewayError:
    if issubclass(kind, RefusedByProvider):
        return kind("words", code="1210")
    if issubclass(kind, NotQueued | errors.TooManySubmits):
        return kind("words", retry_after_seconds=7)
    return kind("words", param="field")


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_a_code_in_every_dialect(name: str, kind: type[GatewayError]):
    status, code = BY_NAME[name].error(one(kind))
    moved = name in ("openai", "new-api") and kind is UnknownModel
    assert status == (404 if moved else kind.status)
    assert isinstance(code, str)
    assert code


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_comes_in_the_one_envelope(name: str, kind: type[GatewayError]):
    scope = {"type": "http", "headers": [], "state": {"dialect": BY_NAME[name]}}
    error = one(kind)
    response = error_response(Request(scope), error)
    body = json.loads(bytes(response.body))
    assert body == {
        "error": {
            "code": BY_NAME[name].error(error)[1],
            "message": "words",
            "type": kind.type,
            "param": error.param,
        }
    }
    assert response.status_code == BY_NAME[name].error(error)[0]
    retry_after = error.retry_after_seconds
    assert response.headers.get("retry-after") == (retry_after and str(retry_after))
    assert ("x-should-retry" in response.headers) is (not kind.safe_to_repeat)


def test_every_error_has_a_place_in_the_tree_that_people_read():
    assert errors.__doc__ is not None
    missing = {kind.__name__ for kind in ALL if kind.__name__ not in errors.__doc__.split()}
    assert not missing


def test_no_two_errors_that_differ_for_a_caller_share_a_word():
    told = [kind for kind in ALL if "code" in vars(kind)]
    assert len({kind.code for kind in told}) == len(told)


@pytest.mark.parametrize("name", ["bigmodel", "geekai", "unified"])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_zhipus_callers_get_its_digits_where_it_has_some(name: str, kind: type[GatewayError]):
    error = one(kind)
    assert BY_NAME[name].error(error)[1] == DIGITS.get(kind, error.code)


def test_all_digits_are_documented():
    assert set(DIGITS.values()) <= DOCUMENTED


@pytest.mark.parametrize("name", ["openai", "new-api"])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_openais_callers_get_words(name: str, kind: type[GatewayError]):
    error = one(kind)
    code = BY_NAME[name].error(error)[1]
    if kind is NotFound and name == "new-api":
        assert code == "task_not_exist"
    else:
        assert code == error.code
    # What the vendor found, and nobody has a word for, is told as the vendor said it.
    assert code.isdigit() is isinstance(error, RefusedByProvider)


@pytest.mark.parametrize(
    ("code", "openais"),
    [
        ("1300", "content_policy_violation"),
        ("1301", "content_policy_violation"),
        ("1210", "1210"),
    ],
)
def test_what_the_vendor_forbids_is_a_word_at_openai_and_digits_elsewhere(code: str, openais: str):
    error = RefusedByProvider("no", code=code)
    for name, dialect in BY_NAME.items():
        told = openais if name in ("openai", "new-api") else code
        assert dialect.error(error) == (400, told)

"""The table of requests: what it lets through is what the protocol says, and every request has its typed coroutine."""

import inspect
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feed.client_requests import Requests
from feed.commands import COMMANDS, BadRequest, Command, Priority, Quote, build, number, priority_of
from feed.venue import Method
from tests.shared import SAMPLES, needs_samples

METHODS = {value for name, value in vars(Method).items() if name.isupper()}
COROUTINES = {
    Method.INSTRUMENTS: "get_instruments",
    # Subscribing is the client's: it keeps what is subscribed across connections.
    Method.PUBLIC_SUBSCRIBE: None,
    Method.PRIVATE_SUBSCRIBE: None,
    Method.UNSUBSCRIBE: None,
}


def test_the_table_holds_every_request():
    assert set(COMMANDS) == METHODS


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_request_has_a_typed_coroutine_with_its_parameters(command: Command):
    name = COROUTINES.get(command.method, command.method.rpartition("/")[2])
    if name is None:
        return
    coroutine = getattr(Requests, name)
    assert inspect.iscoroutinefunction(coroutine)
    signature = inspect.signature(coroutine)
    arguments = {n.rstrip("_"): p for n, p in signature.parameters.items() if n != "self"}
    assert set(arguments) == {parameter.name for parameter in command.parameters}
    for parameter in command.parameters:
        assert (arguments[parameter.name].default is inspect.Parameter.empty) == parameter.required, parameter.name


SAMPLE_REQUESTS = sorted(SAMPLES.glob("req_*.json"))


@needs_samples
@pytest.mark.parametrize("path", SAMPLE_REQUESTS, ids=lambda path: path.stem)
def test_the_samples_pass_unchanged(path):
    request = json.loads(path.read_text())
    command, wire = build(request["method"], request["params"])
    assert wire == request["params"]
    assert command.method == request["method"]


def test_cancels_are_cancels_and_reducing_goes_before_quoting():
    cancels = {method for method, command in COMMANDS.items() if command.priority is Priority.CANCEL}
    assert cancels == {Method.CANCEL, Method.CANCEL_ALL, Method.CANCEL_SESSION, Method.CANCEL_MASS_QUOTE}
    matching = {method for method, command in COMMANDS.items() if command.priority is Priority.QUOTE}
    assert matching == {Method.INSERT, Method.BUY, Method.SELL, Method.AMEND, Method.MASS_QUOTE}
    command, wire = build(Method.BUY, {"instrument_name": "X", "amount": 1, "reduce_only": True})
    assert priority_of(command, wire) is Priority.REDUCE


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("public/heartbeat", {}, "no request"),
        (Method.TICKER, {}, "instrument_name is missing"),
        (Method.TICKER, {"instrument_name": "X", "depth": 1}, "takes no depth"),
        (Method.TICKER, {"instrument_name": ""}, "expected a text"),
        (Method.TICKER, {"instrument_name": 5}, "expected a text"),
        (Method.CANCEL, {}, "exactly one"),
        (Method.CANCEL, {"order_id": "A", "client_order_id": 1}, "exactly one"),
        (Method.CANCEL, {"client_order_id": -1}, "64 bits"),
        (Method.CANCEL, {"client_order_id": 2**64}, "64 bits"),
        (Method.CANCEL, {"client_order_id": True}, "64 bits"),
        (Method.BUY, {"amount": 1, "price": 1}, "exactly one"),
        (Method.BUY, {"amount": 0, "instrument_name": "X"}, "positive"),
        (Method.BUY, {"amount": float("nan"), "instrument_name": "X"}, "finite"),
        (Method.BUY, {"amount": float("inf"), "instrument_name": "X"}, "finite"),
        (Method.BUY, {"amount": "1", "instrument_name": "X"}, "finite"),
        (Method.BUY, {"amount": True, "instrument_name": "X"}, "finite"),
        (Method.BUY, {"amount": 1, "instrument_name": "X", "label": "a b"}, "label"),
        (Method.BUY, {"amount": 1, "instrument_name": "X", "label": "a" * 33}, "label"),
        (Method.BUY, {"amount": 1, "instrument_name": "X", "post_only": 1}, "True or False"),
        (Method.BUY, {"amount": 1, "instrument_name": "X", "order_type": "stop"}, "limit, market"),
        (Method.INSERT, {"direction": "long", "amount": 1, "instrument_name": "X"}, "buy, sell"),
        (Method.BUY, {"amount": 1, "legs": [{"instrument_name": "X", "quantity": 1}]}, "2 to 4 legs"),
        (Method.BUY, {"amount": 1, "legs": [{"instrument_name": "X", "quantity": 0}] * 2}, "other than 0"),
        (Method.PUBLIC_SUBSCRIBE, {"channels": "ticker.X.raw"}, "list of names"),
        (Method.PUBLIC_SUBSCRIBE, {"channels": []}, "list of names"),
        (Method.MASS_QUOTE, {"quotes": []}, "list of quotes"),
        (Method.MASS_QUOTE, {"quotes": [{"i": "X"}]}, '"b" or "a"'),
        (Method.MASS_QUOTE, {"quotes": [{"i": "X", "b": [], "c": []}]}, '"b" or "a"'),
        (Method.MASS_QUOTE, {"quotes": [{"i": "X", "b": [[1, 1]] * 11}]}, "at most 10"),
        (Method.MASS_QUOTE, {"quotes": [{"i": "X", "b": []}] * 101}, "at most 100"),
        (Method.MASS_QUOTE, {"quotes": [{"i": "X", "b": [[1, 1], [1, 2]]}]}, "twice"),
        (Method.MASS_QUOTE, {"quotes": [{"i": "X", "b": [[1]]}]}, "a price and an amount"),
        (Method.MASS_QUOTE, {"quotes": [Quote("X")]}, '"b" or "a"'),
        (Method.MASS_QUOTE, {"quotes": [Quote("X", [(float("nan"), 1)])]}, "finite"),
        (Method.MASS_QUOTE, {"quotes": [Quote("X", [(1, 0)])]}, "positive"),
    ],
)
def test_what_the_protocol_does_not_allow_is_refused(method, params, words):
    with pytest.raises(BadRequest, match=words):
        build(method, params)


def test_quotes_in_all_their_forms():
    quotes = [
        Quote("A", bids=[(1, 2), (Decimal("0.5"), 3)], asks=()),
        Quote("B", asks=[(Decimal("7.25"), Decimal("2"))]),
        {"i": "C", "b": {"p": 1.5, "a": 0}},
    ]
    _, wire = build(Method.MASS_QUOTE, {"quotes": quotes, "label": None})
    assert wire == {
        "quotes": [
            {"i": "A", "b": [[1, 2], [0.5, 3]], "a": []},
            {"i": "B", "a": [[7.25, 2]]},
            {"i": "C", "b": {"p": 1.5, "a": 0}},
        ]
    }


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**7), max_value=10**7))
def test_decimals_of_eight_places_are_sent_exactly(value):
    assert Decimal(json.dumps(number(value))) == value


def test_a_decimal_that_no_number_says_is_refused():
    with pytest.raises(BadRequest, match="digits"):
        number(Decimal("0.12345678901234567890123"))

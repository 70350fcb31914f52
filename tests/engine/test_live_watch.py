"""The watch logs changes, once each, and the state now and then."""

import logging
from typing import Any

from engine.live.watch import COUNTED, Watch


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.getMessage(), record.fields))  # type: ignore[attr-defined]


def report(**changes: Any) -> dict[str, Any]:
    base = {name: 0 for name in ["ticks", "messages_sent", "quotes_sent", "fills", "fees_usd", "pnl_usd"]}
    base |= {
        "mode": "ACTIVE",
        "halt_reason": None,
        "reduce_reason": None,
        "hold_reason": None,
        "session": "LIVE",
        "last_error": None,
        "positions": {},
        "latency_ns": {},
        "instruments": {},
    }
    return base | {"counters": dict.fromkeys(COUNTED, 0)} | changes


def test_only_changes_are_logged() -> None:
    kept, log = Kept(), logging.Logger("test")
    log.addHandler(kept)
    watch = Watch(log, every=4)
    watch.look(report())
    assert [name for name, _ in kept.lines] == ["mode", "session"]
    watch.look(report())
    assert len(kept.lines) == 2
    watch.look(report(fills=3, mode="HALTED", halt_reason="drawdown", positions={"BTC-PERPETUAL": 1.0}))
    assert [name for name, _ in kept.lines[2:]] == ["mode", "halt_reason", "fills"]
    assert kept.lines[4][1] == {"before": 0, "now": 3, "positions": {"BTC-PERPETUAL": 1.0}, "pnl_usd": 0}
    watch.look(report(fills=3, mode="HALTED", halt_reason="drawdown", counters=dict.fromkeys(COUNTED, 1)))
    assert [name for name, _ in kept.lines[5:]] == [*COUNTED, "state"]


def test_every_change_of_a_regime_is_a_line_with_its_reason() -> None:
    kept, log = Kept(), logging.Logger("test")
    log.addHandler(kept)
    watch = Watch(log)
    rows = [{"from": "normal", "to": "widened", "reason": "volatility", "measure": 2.5, "now_ns": k} for k in range(5)]
    for changes in (0, 2, 2, 5):
        regime = {"changes": changes, "last_changes": rows[:changes]}
        watch.look(report(instruments={"BTC-PERPETUAL": {"regime": regime, "calibration": rates("used")}}))
    told = [fields for name, fields in kept.lines if name == "regime"]
    assert [row["now_ns"] for row in told] == [0, 1, 2, 3, 4]
    assert told[0] == {"instrument": "BTC-PERPETUAL", **rows[0]}


def rates(why: str) -> dict[str, Any]:
    return {"why": why, "used": why == "used", "kappa_per_bp": 0.4, "intensity": 0.8, "both": {}, "drift": 1.0}


def test_every_change_of_what_rates_are_quoted_with_is_a_line_with_its_reason() -> None:
    kept, log = Kept(), logging.Logger("test")
    log.addHandler(kept)
    watch = Watch(log)
    for why in ("not estimated yet", "not estimated yet", "used", "used", "drift"):
        regime = {"changes": 0, "last_changes": []}
        watch.look(report(instruments={"BTC-PERPETUAL": {"regime": regime, "calibration": rates(why)}}))
    told = [(fields["before"], fields["now"], fields["used"]) for name, fields in kept.lines if name == "calibration"]
    assert told == [
        (None, "not estimated yet", False),
        ("not estimated yet", "used", True),
        ("used", "drift", False),
    ]

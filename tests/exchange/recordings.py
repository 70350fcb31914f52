"""Small recordings written by DuckDB, for tests."""

from pathlib import Path

import duckdb

SCHEMA = {
    "quotes": "ts_ns BIGINT, ex_ts_ns BIGINT, bid_px DOUBLE, bid_qty DOUBLE, ask_px DOUBLE, ask_qty DOUBLE",
    "trades": "ts_ns BIGINT, ex_ts_ns BIGINT, price DOUBLE, qty DOUBLE, aggressor_side TINYINT, trade_id VARCHAR",
    "l2": "ts_ns BIGINT, ex_ts_ns BIGINT, side TINYINT, px DOUBLE, qty DOUBLE, snapshot TINYINT, update_id BIGINT",
}
T0 = 1_700_000_000_000_000_000
MS = 1_000_000


def write(directory: Path, name: str, rows: list[tuple[object, ...]], schema: str | None = None) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows ({schema or SCHEMA[name]})")
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO rows VALUES ({marks})", rows)
        connection.execute(f"COPY rows TO '{directory / name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


def quote(at_ms: float, bid: float, ask: float, qty: float = 1.0, known: bool = True) -> tuple[object, ...]:
    ns = T0 + int(at_ms * MS)
    return ns, ns if known else 0, bid, qty, ask, qty


def trade(at_ms: float, price: float, qty: float, side: int) -> tuple[object, ...]:
    ns = T0 + int(at_ms * MS)
    return ns, ns, price, qty, side, "1"


def level(at_ms: float, side: int, price: float, qty: float, snapshot: int = 0) -> tuple[object, ...]:
    ns = T0 + int(at_ms * MS)
    return ns, ns, side, price, qty, snapshot, 1


def small(directory: Path, depth: bool = True) -> Path:
    """Two seconds of a coin at 10 USD: tick 0.5, lot 0.25."""
    write(directory, "quotes", [quote(0, 10.0, 11.0), quote(1000, 10.5, 11.5, 2.0)])
    write(directory, "trades", [trade(500, 11.0, 0.5, 1), trade(1000, 11.0, 0.75, 1), trade(1500, 10.5, 0.25, -1)])
    if depth:
        snapshot = [
            level(0, s, p, q, 1) for s, p, q in ((1, 10.0, 1.0), (1, 9.5, 3.0), (-1, 11.0, 1.0), (-1, 12.0, 2.0))
        ]
        moved = [level(1000, -1, 11.0, 0.0), level(1000, -1, 11.5, 2.0), level(1000, 1, 10.5, 2.0)]
        write(directory, "l2", [*snapshot, *moved])
    return directory

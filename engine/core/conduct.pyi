from typing import Any

from engine.core.instrument import Instrument
from engine.core.knobs import Knobs
from engine.core.orders import OrderTable
from engine.core.plan import CorePlan
from engine.core.quoter import Quoter
from engine.core.relisting import Relisting
from engine.core.reports import Reports
from engine.core.requests import RequestRing
from engine.core.restraint import Restraint
from engine.core.risk import Gate
from feed.decode import Decoder
from feed.frames import Sink
from feed.outbox import Outbox
from feed.session import Session
from feed.session_plan import SessionPlan
from feed.stamps import Stamper
from kernels.addresses import Addresses

def session_plan(plan: CorePlan) -> SessionPlan: ...

class Conduct(Relisting):
    plan: CorePlan
    session: Session
    decoder: Decoder
    outbox: Outbox
    table: OrderTable
    gate: Gate
    requests: RequestRing
    restraint: Restraint
    quoter: Quoter
    reports: Reports
    instruments: list[Instrument]
    wants_close: str | None
    fatal: str | None
    close_announced: bool
    moving: bool
    halt_reason: str | None
    stopping: bool
    stopped: bool
    orders_left: int
    leftover_orders: int
    messages: int
    slow_messages: int
    malformed: int
    resyncs: int
    connections: int
    missed_lots: int
    history_fills: int
    marked_lots: int
    overshoots: int
    overshoot_e8: int
    last_error: str | None
    def __init__(self, plan: CorePlan, addresses: Addresses, knobs: Knobs = ...) -> None: ...
    def stamp(self, stamper: Stamper) -> None: ...
    def attach(self, sink: Sink) -> None: ...
    @property
    def wants_token(self) -> bool: ...
    def provide_token(self, token: str, now_ns: int) -> None: ...
    def operator(self, act: str, now_ns: int) -> None: ...
    def halt(self, reason: str, now_ns: int) -> None: ...
    @property
    def mode(self) -> str: ...
    def status(self) -> dict[str, Any]: ...

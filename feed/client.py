"""``ThalexClient``: the connection to the venue as an asyncio API, for people who want only that.

    async with ThalexClient(Network.TEST, Credentials.load(path, "K123456789")) as client:
        print(await client.ticker("BTC-PERPETUAL"))
        async for message in await client.subscribe("ticker.BTC-PERPETUAL.raw"):
            ...

It connects, logs in, switches cancel-on-disconnect on, caches the instruments, and does all of that again, with the
subscriptions, after a connection is lost. Orders of the lost connection are gone by then (cancel-on-disconnect); it
never repeats a request by itself.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType, TracebackType
from typing import Any, Self

from feed import venue
from feed.auth import Credentials
from feed.backoff import Backoff, BackoffSettings
from feed.client_errors import ClientError, NotSent, SubscriptionRefused, VenueError
from feed.client_requests import Object, Requests
from feed.commands import Number
from feed.connection import ConnectFailed, Connection, connect
from feed.requester import Requester
from feed.subscription import ChannelMessage, Subscription
from feed.transport import now_ns
from feed.venue import Action, ErrorCode, Method, Network

LOGIN_ATTEMPTS = 3
CHANNELS_A_REQUEST = 200


class SetUpFailed(ClientError):
    """The client cannot be used as it is configured: another environment or account, or refused logins."""


class ThalexClient(Requests):
    """A client of one account, or of public data only when there are no ``credentials``.

    ``network``: a ``Network`` or an address. ``protection``: product to (trade amount, quote amount) in contracts, set
    on every connection. ``rate_limit``: requests a minute over all but cancels, None for the venue's limits only.
    ``random`` spreads the pauses between connections. One event loop; not to be shared between threads.
    """

    def __init__(
        self,
        network: Network | str = Network.LOCAL,
        credentials: Credentials | None = None,
        *,
        account: str | None = None,
        cancel_on_disconnect_s: int = 6,
        protection: Mapping[str, tuple[Number, Number]] | None = None,
        request_timeout_s: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        backoff: BackoffSettings | None = None,
        random: Random | None = None,
    ) -> None:
        self.url = network.value if isinstance(network, Network) else network
        self.request_timeout_s = request_timeout_s
        self.generation = 0
        self.account_number: str | None = None
        self.failure: ClientError | None = None
        self._environment = next((word for word, known in venue.ENVIRONMENT.items() if known.value == self.url), None)
        self._credentials = credentials
        self._account = account
        self._cancel_on_disconnect_s = cancel_on_disconnect_s
        self._protection = dict(protection or {})
        self._ssl_context = ssl_context
        self._backoff = Backoff(random or Random(), backoff)
        self._requester = Requester(self._on_notification)
        self._connection: Connection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._closing = False
        self._login_failures = 0
        self._instruments: dict[str, Object] = {}
        self._subscriptions: dict[str, Subscription] = {}

    # -- life ----------------------------------------------------------------------------------------------------------

    async def initialize(self) -> None:
        """Connect and set everything up; raises what prevents it. From then on the connection is kept up until
        ``close``."""
        if self._keeper is not None or self._closing:
            raise RuntimeError("a client is initialised once")
        await self._set_up()
        self._keeper = asyncio.create_task(self._keep_up())

    async def close(self) -> None:
        """Close the connection in order and end all subscriptions."""
        self._closing = True
        if self._connection is not None:
            self._connection.close("closed by the client")
            await self._connection.wait_closed()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._end(None)

    async def __aenter__(self) -> Self:
        await self.initialize()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def is_ready(self) -> bool:
        """Is the connection up and set up?"""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until the connection is up and set up (again); raises if it never will be."""
        await self._ready.wait()
        if self.failure is not None:
            raise self.failure

    @property
    def instruments(self) -> Mapping[str, Object]:
        """The active instruments by name, as of the last connection."""
        return MappingProxyType(self._instruments)

    @property
    def rate_limit(self) -> int | None:
        """Requests a minute over all but cancels; None: the venue's limits only."""
        return self._requester.rate_limit

    @rate_limit.setter
    def rate_limit(self, requests_a_minute: int | None) -> None:
        if requests_a_minute is not None and requests_a_minute < 1:
            raise ValueError("rate_limit must be at least 1 request a minute, or None")
        self._requester.rate_limit = requests_a_minute

    def stats(self) -> dict[str, int | str]:
        """Counters of the connection and of the way out."""
        connection = self._connection.stats() if self._connection is not None else {}
        return {**connection, **self._requester.outbox.stats(), "generation": self.generation}

    # -- requests and subscriptions ------------------------------------------------------------------------------------

    async def request(self, method: str, **params: Any) -> Any:
        """Send a request of the table in ``feed.commands``; prefer the typed methods.

        Raises ``BadRequest`` or ``NotSent`` (nothing left the process), ``VenueError`` (the venue refused), or
        ``OutcomeUnknown`` (it may or may not have been carried out).
        """
        if not self.is_ready or self.failure is not None:
            raise self.failure or NotSent(f"{method}: not connected")
        return await self._call(method, params)

    async def subscribe(
        self, *channels: str, callback: Callable[[ChannelMessage], None] | None = None, buffer: int = 10_000
    ) -> Subscription:
        """Subscribe to channels, public or private; read the result with ``async for`` or give a callback.

        A channel has one subscriber. Raises ``SubscriptionRefused`` if the venue leaves one out.
        """
        if not channels or len(set(channels)) != len(channels):
            raise ValueError("name at least one channel, and each once")
        taken = [channel for channel in channels if channel in self._subscriptions]
        if taken:
            raise ValueError(f"already subscribed to {', '.join(taken)}")
        if not self.is_ready or self.failure is not None:
            raise self.failure or NotSent("not connected")
        subscription = Subscription(channels, callback, buffer)
        self._subscriptions.update(dict.fromkeys(channels, subscription))
        try:
            await self._join(tuple(name for name in channels if name != venue.SYSTEM))
        except BaseException:
            self._forget(subscription)
            raise
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Leave the channels of a subscription; its iteration ends after what was received before."""
        self._forget(subscription)
        subscription.end()
        left = [name for name in subscription.channels if name != venue.SYSTEM]
        if left and self.is_ready and self.failure is None:
            await self._call(Method.UNSUBSCRIBE, {"channels": left})

    def _forget(self, subscription: Subscription) -> None:
        for channel in subscription.channels:
            self._subscriptions.pop(channel, None)

    async def _call(self, method: str, params: Mapping[str, Any]) -> Any:
        return await self._requester.call(method, params, self.request_timeout_s)

    async def _join(self, channels: tuple[str, ...]) -> None:
        private = tuple(name for name in channels if venue.parse_channel(name).private)
        public = tuple(name for name in channels if name not in private)
        refused: list[str] = []
        for method, names in ((Method.PRIVATE_SUBSCRIBE, private), (Method.PUBLIC_SUBSCRIBE, public)):
            for start in range(0, len(names), CHANNELS_A_REQUEST):
                part = names[start : start + CHANNELS_A_REQUEST]
                joined = await self._call(method, {"channels": part})
                refused += [name for name in part if name not in joined]
        if refused:
            raise SubscriptionRefused(refused)

    def _on_notification(self, message: dict[str, Any], received_ns: int) -> None:
        channel = message["channel_name"]
        payload = message["notification"]
        subscription = self._subscriptions.get(channel)
        if subscription is not None:
            snapshot = bool(message.get("snapshot"))
            subscription.put(ChannelMessage(channel, payload, snapshot, self.generation, received_ns))
        if channel == venue.SYSTEM and payload.get("event") == venue.RECONNECT_EVENT and self._connection is not None:
            self._connection.close("the venue asked to reconnect")

    # -- the connection ------------------------------------------------------------------------------------------------

    async def _set_up(self) -> None:
        """One connection, up to the point at which it can be used. Leaves none behind when it raises."""
        self._connection = await connect(
            self._requester,
            self.url,
            sink=self._requester.sink,
            ssl_context=self._ssl_context,
            ping_interval_s=min(2.0, self._cancel_on_disconnect_s / 2),
            pong_timeout_s=min(1.0, self._cancel_on_disconnect_s / 4),
            cancel_on_disconnect_s=self._cancel_on_disconnect_s,
        )
        self.generation += 1
        try:
            await self._check_environment()
            await self._log_in()
            rows = await self._call(Method.INSTRUMENTS, {})
            self._instruments = {row["instrument_name"]: row for row in rows}
            for product, (trade_amount, quote_amount) in self._protection.items():
                params = {"product": product, "trade_amount": trade_amount, "quote_amount": quote_amount}
                await self._call(Method.SET_MM_PROTECTION, params)
            await self._join(tuple(dict.fromkeys((venue.SYSTEM, *self._subscriptions))))
        except BaseException:
            self._connection.abort("set-up failed")
            await self._connection.wait_closed()
            raise
        self._backoff.live(now_ns())
        self._ready.set()

    async def _check_environment(self) -> None:
        if self._environment is None:
            return
        environment = (await self._call(Method.SYSTEM_INFO, {}))["environment"]
        if environment != self._environment:
            raise SetUpFailed(f"this is the {environment} environment, not {self._environment}")

    async def _log_in(self) -> None:
        if self._credentials is None:
            return
        params = {"token": self._credentials.token(time.time()), "account": self._account}
        try:
            account = (await self._call(Method.LOGIN, params))["account_number"]
        except VenueError as error:
            if error.code == ErrorCode.AUTHENTICATION_FAILED:
                self._login_failures += 1
            raise
        if self._account is not None and account != self._account:
            raise SetUpFailed(f"logged in to account {account}, not to {self._account}")
        self._login_failures = 0
        self.account_number = account
        result = await self._call(Method.SET_CANCEL_ON_DISCONNECT, {"timeout_secs": self._cancel_on_disconnect_s})
        self._requester.outbox.set_message_rate(result["message_rate"])

    async def _keep_up(self) -> None:
        """Connect again whenever the connection is lost, until closed or hopeless."""
        at_least_ns = 0
        while True:
            if self._connection is not None:
                await self._connection.wait_closed()
            self._ready.clear()
            if self._closing:
                return
            pause_ns = self._backoff.pause_ns(now_ns(), at_least_ns)
            if pause_ns is None:
                self._end(SetUpFailed("the hour's budget of connections is used up"))
                return
            await asyncio.sleep(pause_ns / 1e9)
            at_least_ns = 0
            try:
                await self._set_up()
            except ConnectFailed as error:
                at_least_ns = int(error.retry_after_s * 1e9)
            except ClientError as error:
                if self._is_hopeless(error):
                    self._end(error)
                    return
            except Exception as error:
                # Whoever waits is told by ``failure``; the task ends with the error itself.
                self._end(SetUpFailed(f"set-up met something unexpected: {error!r}"))
                raise

    def _is_hopeless(self, error: ClientError) -> bool:
        if isinstance(error, SetUpFailed):
            return True
        if not isinstance(error, VenueError) or error.code == ErrorCode.API_CONNECTION_LIMIT_REACHED:
            return False
        if error.code == ErrorCode.AUTHENTICATION_FAILED:
            return self._login_failures >= LOGIN_ATTEMPTS
        return error.action is Action.HALT

    def _end(self, error: ClientError | None) -> None:
        """No connection any more, for good."""
        self.failure = error or self.failure
        self._ready.set()
        if error is None:
            self.failure = self.failure or NotSent("the client is closed")
        for subscription in set(self._subscriptions.values()):
            subscription.end(error)
        self._subscriptions.clear()

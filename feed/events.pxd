"""What comes in, as C records: one struct a hot channel, filled straight from the frame.

Numbers named ``_e8`` are exact, in units of 1e-8; marks, indices and rates are doubles. ``has`` is a bit mask of the
optional members that were there and not null. Names are resolved to indices by the decoder's symbol tables; -1 is "not
one of ours". Owner: the thread of the decoder; a record is valid until the next decode.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef enum Kind:
    KIND_SLOW = 0             # nothing the fast decoder knows: hand the frame to the slow one
    KIND_TICKER = 1
    KIND_LWT = 2
    KIND_BOOK = 3
    KIND_TRADES = 4           # recent_trades
    KIND_ORDERS = 5           # session.orders
    KIND_PORTFOLIO = 6        # account.portfolio
    KIND_INDEX = 7            # price_index
    KIND_REPLY = 8            # reply to a request of ours with an integer id

cdef enum:
    BOOK_CHANGES_MAX = 8192   # level changes a side in one message; a larger one goes the slow way in pieces
    BOOK_TRADES_MAX = 1024
    TRADES_MAX = 1024
    ORDERS_MAX = 512
    FILLS_MAX = 1024          # over all orders of one message
    POSITIONS_MAX = 256
    ID_MAX = 40               # bytes of order_id and trade_id

cdef enum TickerHas:
    TICKER_BEST_BID = 1       # price and amount
    TICKER_BEST_ASK = 2
    TICKER_LAST = 4
    TICKER_COLLAR_LOW = 8
    TICKER_COLLAR_HIGH = 16
    TICKER_FUNDING_RATE = 32
    TICKER_FUNDING_MARK = 64
    TICKER_OPEN_INTEREST = 128
    TICKER_VOLUME = 256       # volume_24h and value_24h
    TICKER_LOW_HIGH = 512     # low_price_24h and high_price_24h
    TICKER_CHANGE = 1024
    TICKER_REALISED_FUNDING = 2048
    TICKER_AVERAGE_FUNDING = 4096
    TICKER_IV = 8192
    TICKER_FORWARD = 16384

cdef struct Ticker:
    int32_t instrument
    uint32_t has
    double mark_price
    double mark_timestamp_s
    double index
    double delta
    int64_t best_bid_e8
    int64_t best_bid_amount_e8
    int64_t best_ask_e8
    int64_t best_ask_amount_e8
    int64_t last_e8
    double collar_low
    double collar_high
    double funding_rate
    double funding_mark
    double realised_funding_24h
    double average_funding_rate_24h
    double volume_24h
    double value_24h
    double low_24h
    double high_24h
    double change_24h
    double open_interest
    double iv
    double forward

cdef enum LwtHas:
    LWT_BID = 1
    LWT_ASK = 2
    LWT_LAST = 4
    LWT_IV = 8

cdef struct Lwt:
    int32_t instrument
    uint32_t has
    int64_t bid_e8
    int64_t bid_amount_e8
    int64_t bid_outright_e8
    int64_t ask_e8
    int64_t ask_amount_e8
    int64_t ask_outright_e8
    double mark_price
    double iv
    int64_t last_e8

cdef struct LevelChange:
    int64_t price_e8
    int64_t amount_e8         # 0: the level is gone
    int64_t outright_e8

cdef struct PublicTrade:
    int32_t instrument
    int32_t side              # aggressor: +1 buy, -1 sell
    int64_t price_e8
    int64_t amount_e8
    double time_s
    int32_t implied
    int32_t padding

cdef struct BookUpdate:
    int32_t instrument
    int32_t snapshot
    int32_t bids              # changes in ``bid``
    int32_t asks
    int32_t trades
    int32_t has_totals
    int64_t total_bid_e8
    int64_t total_ask_e8
    double time_s
    LevelChange* bid          # [BOOK_CHANGES_MAX]
    LevelChange* ask
    PublicTrade* trade        # [BOOK_TRADES_MAX]

cdef struct TradeBatch:
    int32_t instrument        # of the channel; -1 for a channel of an underlying
    int32_t snapshot
    int32_t count
    int32_t padding
    PublicTrade* trade        # [TRADES_MAX]

cdef enum OrderStatusCode:
    STATUS_UNKNOWN = 0        # a word we do not know: the order's fate is unknown, query it
    STATUS_OPEN = 1
    STATUS_PARTIALLY_FILLED = 2
    STATUS_CANCELLED = 3
    STATUS_CANCELLED_PARTIALLY_FILLED = 4
    STATUS_FILLED = 5

cdef enum ChangeReason:
    CHANGE_UNKNOWN = 0
    CHANGE_EXISTING = 1
    CHANGE_INSERT = 2
    CHANGE_AMEND = 3
    CHANGE_CANCEL = 4
    CHANGE_FILL = 5

cdef enum DeleteReason:
    DELETE_NONE = 0           # member absent
    DELETE_UNKNOWN = 1        # a word we do not know
    DELETE_CLIENT_CANCEL = 2
    DELETE_CLIENT_BULK_CANCEL = 3
    DELETE_SESSION_END = 4
    DELETE_INSTRUMENT_DEACTIVATED = 5
    DELETE_MM_PROTECTION = 6
    DELETE_FAILOVER = 7
    DELETE_MARGIN_BREACH = 8
    DELETE_FILLED = 9
    DELETE_IMMEDIATE_CANCEL = 10
    DELETE_ADMIN_CANCEL = 11
    DELETE_REPLACED = 12
    DELETE_SELF_TRADE_PREVENTION = 13

cdef enum OrderHas:
    ORDER_PRICE = 1
    ORDER_CLIENT_ID = 2
    ORDER_LABEL = 4
    ORDER_REDUCE_ONLY = 8
    ORDER_PERSISTENT = 16
    ORDER_CLOSE_TIME = 32
    ORDER_MARKET = 64         # order_type market
    ORDER_IOC = 128

cdef struct OrderUpdate:
    int32_t instrument
    int32_t side              # +1 buy, -1 sell
    uint32_t has
    int32_t status            # OrderStatusCode
    int32_t change_reason
    int32_t delete_reason
    int32_t insert_reason     # 1 client_request, 2 conditional_order, 3 bot, 4 liquidation, 0 unknown
    int32_t fills             # count
    int32_t fill_index        # of its first fill in ``OrderBatch.fill``
    int32_t order_id_length
    int64_t price_e8
    int64_t amount_e8
    int64_t filled_e8
    int64_t remaining_e8
    uint64_t client_order_id
    double create_time_s
    double close_time_s
    char order_id[40]         # ID_MAX bytes, not terminated

cdef struct Fill:
    int64_t price_e8
    int64_t amount_e8
    double time_s
    int32_t maker             # 1 maker, 0 taker
    int32_t leg_index
    int32_t trade_id_length
    int32_t padding
    char trade_id[40]

cdef struct OrderBatch:
    int32_t snapshot
    int32_t count
    int32_t fills
    int32_t padding
    OrderUpdate* order        # [ORDERS_MAX]
    Fill* fill                # [FILLS_MAX]

cdef struct PositionUpdate:
    int32_t instrument        # -1: an instrument that is not quoted
    int32_t padding
    int64_t position_e8       # signed
    double mark_price
    double start_price
    double average_price
    double unrealised_pnl
    double realised_pnl
    double unrealised_perpetual_funding   # 0 when absent

cdef struct PortfolioBatch:
    int32_t snapshot
    int32_t count
    PositionUpdate* position  # [POSITIONS_MAX]

cdef struct IndexPrice:
    int32_t underlying        # index in the decoder's table of underlyings
    int32_t padding
    double price
    double timestamp_s

cdef enum ReplyKind:
    REPLY_RESULT = 1          # a result of another form (null, number, list…): only its presence is told
    REPLY_ORDER = 2           # an OrderStatus, in ``Decoder.orders`` (count 1)
    REPLY_MASS_QUOTE = 3      # n_success, n_fail, error_code of the first error
    REPLY_ERROR = 4           # error_code

cdef struct Reply:
    uint64_t id
    int32_t kind
    int32_t error_code        # venue code (protocol section 9), 0 none
    int32_t n_success
    int32_t n_fail

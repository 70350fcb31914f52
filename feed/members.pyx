"""Tables of JSON members, built once at import from rows of Python.

Owner thread: none, they are constants afterwards.
"""

import math

from libc.stdlib cimport calloc
from libc.string cimport memcpy, memset

from feed.events cimport *

from feed import venue


# Smallest values of the kinds in fixed point, and the bounds of the kinds of doubles.
LEAST = {VALUE_PRICE: 1, VALUE_AMOUNT: 0, VALUE_SIGNED: -(2**63)}
BOUNDS = {
    VALUE_DOUBLE: (-math.inf, math.inf),
    VALUE_POSITIVE: (math.nextafter(0.0, 1.0), math.inf),
    VALUE_TIME: (0.0, math.nextafter(<int64_t> TIME_MAX_S, 0.0)),
}


cdef int build(Table* table, list rows) except -1:
    """Fill ``table`` from rows (name, value, offset, options).

    Options: ``has`` bit, ``required``, ``offset2``, ``words`` (dict of word to code) and ``other`` (code of a word
    that is not among them, or bits of a flag). Raises ValueError for a row that does not fit. The words stay
    allocated for the life of the process.
    """
    cdef Member* member
    cdef const char* text
    memset(table, 0, sizeof(Table))
    if len(rows) > MEMBERS_MAX:
        raise ValueError(f"a table has at most {MEMBERS_MAX} members, not {len(rows)}")
    for i, (name, value, offset, options) in enumerate(rows):
        key = b'"%b":' % name.encode("ascii")
        if len(key) > TEXT_MAX:
            raise ValueError(f"the name of a member has at most {TEXT_MAX - 3} bytes: {name}")
        member = &table.member[i]
        text = key
        memcpy(member.key, text, len(key))
        member.bits = <uint32_t> ((<uint64_t> 1 << <int> len(key)) - 1)
        member.length = len(key)
        member.value = value
        member.least = LEAST.get(value, 0)
        member.low, member.high = BOUNDS.get(value, (0.0, 0.0))
        member.offset = offset
        member.offset2 = options.get("offset2", 0)
        member.has = options.get("has", 0)
        member.other = options.get("other", 0)
        if options.get("required", False):
            table.required |= <uint64_t> 1 << <int> i
        words = options.get("words", {})
        member.words_count = len(words)
        member.words = <Word*> calloc(max(len(words), 1), sizeof(Word))
        if member.words is NULL:
            raise MemoryError
        for j, (spelling, code) in enumerate(words.items()):
            spelled = spelling.encode("ascii")
            if len(spelled) > TEXT_MAX:
                raise ValueError(f"a word has at most {TEXT_MAX} bytes: {spelling}")
            text = spelled
            memcpy(member.words[j].text, text, len(spelled))
            member.words[j].length = len(spelled)
            member.words[j].code = code
    table.count = len(rows)
    return 0


# -- the tables; rows in the venue's order (protocol sections 5, 6.6, 7.1, 8 and 9) ------------------------------------

cdef int build_market() except -1:
    """Tables of the public channels."""
    cdef Ticker* ticker = NULL
    cdef Lwt* lwt = NULL
    cdef BookUpdate* book = NULL
    cdef IndexPrice* index = NULL
    must = {"required": True}
    build(&TICKER, [
        ("mark_price", VALUE_POSITIVE, <Py_ssize_t> &ticker.mark_price, must),
        ("mark_timestamp", VALUE_TIME, <Py_ssize_t> &ticker.mark_timestamp_s, must),
        ("best_bid_price", VALUE_PRICE, <Py_ssize_t> &ticker.best_bid_e8, {}),
        ("best_bid_amount", VALUE_AMOUNT, <Py_ssize_t> &ticker.best_bid_amount_e8, {}),
        ("best_ask_price", VALUE_PRICE, <Py_ssize_t> &ticker.best_ask_e8, {}),
        ("best_ask_amount", VALUE_AMOUNT, <Py_ssize_t> &ticker.best_ask_amount_e8, {}),
        ("last_price", VALUE_PRICE, <Py_ssize_t> &ticker.last_e8, {"has": TICKER_LAST}),
        ("iv", VALUE_DOUBLE, <Py_ssize_t> &ticker.iv, {"has": TICKER_IV}),
        ("delta", VALUE_DOUBLE, <Py_ssize_t> &ticker.delta, must),
        ("volume_24h", VALUE_DOUBLE, <Py_ssize_t> &ticker.volume_24h, {}),
        ("value_24h", VALUE_DOUBLE, <Py_ssize_t> &ticker.value_24h, {}),
        ("low_price_24h", VALUE_DOUBLE, <Py_ssize_t> &ticker.low_24h, {}),
        ("high_price_24h", VALUE_DOUBLE, <Py_ssize_t> &ticker.high_24h, {}),
        ("change_24h", VALUE_DOUBLE, <Py_ssize_t> &ticker.change_24h, {"has": TICKER_CHANGE}),
        ("index", VALUE_POSITIVE, <Py_ssize_t> &ticker.index, must),
        ("forward", VALUE_DOUBLE, <Py_ssize_t> &ticker.forward, {"has": TICKER_FORWARD}),
        ("collar_low", VALUE_DOUBLE, <Py_ssize_t> &ticker.collar_low, {"has": TICKER_COLLAR_LOW}),
        ("collar_high", VALUE_DOUBLE, <Py_ssize_t> &ticker.collar_high, {"has": TICKER_COLLAR_HIGH}),
        ("open_interest", VALUE_DOUBLE, <Py_ssize_t> &ticker.open_interest, {"has": TICKER_OPEN_INTEREST}),
        ("funding_rate", VALUE_DOUBLE, <Py_ssize_t> &ticker.funding_rate, {"has": TICKER_FUNDING_RATE}),
        ("funding_mark", VALUE_DOUBLE, <Py_ssize_t> &ticker.funding_mark, {"has": TICKER_FUNDING_MARK}),
        ("realised_funding_24h", VALUE_DOUBLE, <Py_ssize_t> &ticker.realised_funding_24h,
         {"has": TICKER_REALISED_FUNDING}),
        ("average_funding_rate_24h", VALUE_DOUBLE, <Py_ssize_t> &ticker.average_funding_rate_24h,
         {"has": TICKER_AVERAGE_FUNDING}),
    ])
    # Two members of one bit: the rows' bits, in the order of the table.
    TICKER_PAIRS[0] = Pair(0b1100, TICKER_BEST_BID)
    TICKER_PAIRS[1] = Pair(0b110000, TICKER_BEST_ASK)
    TICKER_PAIRS[2] = Pair(0b11 << 9, TICKER_VOLUME)
    TICKER_PAIRS[3] = Pair(0b11 << 11, TICKER_LOW_HIGH)
    build(&LWT, [
        ("b", VALUE_TRIPLE, <Py_ssize_t> &lwt.bid_e8, {"has": LWT_BID}),
        ("a", VALUE_TRIPLE, <Py_ssize_t> &lwt.ask_e8, {"has": LWT_ASK}),
        ("l", VALUE_PRICE, <Py_ssize_t> &lwt.last_e8, {"has": LWT_LAST}),
        ("m", VALUE_POSITIVE, <Py_ssize_t> &lwt.mark_price, must),
        ("v", VALUE_DOUBLE, <Py_ssize_t> &lwt.iv, {"has": LWT_IV}),
    ])
    build(&BOOK, [
        ("trades", VALUE_TRADES, 0, {}),
        ("bid_changes", VALUE_BIDS, 0, {}),
        ("ask_changes", VALUE_ASKS, 0, {}),
        ("total_bid_amount", VALUE_AMOUNT, <Py_ssize_t> &book.total_bid_e8, {"has": 1}),
        ("total_ask_amount", VALUE_AMOUNT, <Py_ssize_t> &book.total_ask_e8, {"has": 2}),
        ("time", VALUE_TIME, <Py_ssize_t> &book.time_s, must),
    ])
    build(&INDEX, [
        ("index_name", VALUE_UNDERLYING, <Py_ssize_t> &index.underlying, must),
        ("price", VALUE_POSITIVE, <Py_ssize_t> &index.price, must),
        ("timestamp", VALUE_TIME, <Py_ssize_t> &index.timestamp_s, must),
        ("expiration_print_average", VALUE_NUMBER, 0, {}),
        ("expiration_progress", VALUE_NUMBER, 0, {}),
        ("expected_expiration_price", VALUE_NUMBER, 0, {}),
        ("previous_settlement_price", VALUE_NUMBER, 0, {}),
    ])
    return 0


cdef int build_account() except -1:
    """Tables of orders, positions and replies."""
    cdef OrderUpdate* order = NULL
    cdef Fill* fill = NULL
    cdef PositionUpdate* position = NULL
    cdef Reply* reply = NULL
    must = {"required": True}
    build(&ORDER, [
        ("order_id", VALUE_ID, <Py_ssize_t> &order.order_id[0],
         must | {"offset2": <Py_ssize_t> &order.order_id_length}),
        ("order_type", VALUE_HAS_WORD, 0, must | {"words": {"market": ORDER_MARKET}}),
        ("time_in_force", VALUE_HAS_WORD, 0, must | {"words": {"immediate_or_cancel": ORDER_IOC}}),
        ("instrument_name", VALUE_INSTRUMENT, <Py_ssize_t> &order.instrument, {}),
        ("direction", VALUE_KNOWN_WORD, <Py_ssize_t> &order.side, must | {"words": venue.SIDES}),
        ("price", VALUE_PRICE, <Py_ssize_t> &order.price_e8, {"has": ORDER_PRICE}),
        ("amount", VALUE_AMOUNT, <Py_ssize_t> &order.amount_e8, must),
        ("filled_amount", VALUE_AMOUNT, <Py_ssize_t> &order.filled_e8, must),
        ("remaining_amount", VALUE_AMOUNT, <Py_ssize_t> &order.remaining_e8, must),
        ("label", VALUE_TEXT, 0, {"has": ORDER_LABEL}),
        ("client_order_id", VALUE_UINT64, <Py_ssize_t> &order.client_order_id, {"has": ORDER_CLIENT_ID}),
        ("status", VALUE_WORD, <Py_ssize_t> &order.status, must | {"words": venue.STATUSES, "other": STATUS_UNKNOWN}),
        ("fills", VALUE_FILLS, 0, must),
        ("change_reason", VALUE_WORD, <Py_ssize_t> &order.change_reason,
         must | {"words": venue.CHANGE_REASONS, "other": CHANGE_UNKNOWN}),
        ("delete_reason", VALUE_WORD, <Py_ssize_t> &order.delete_reason,
         {"words": venue.DELETE_REASONS, "other": DELETE_UNKNOWN}),
        ("insert_reason", VALUE_WORD, <Py_ssize_t> &order.insert_reason,
         must | {"words": venue.INSERT_REASONS, "other": venue.UNKNOWN_INSERT_REASON}),
        ("create_time", VALUE_TIME, <Py_ssize_t> &order.create_time_s, must),
        ("close_time", VALUE_TIME, <Py_ssize_t> &order.close_time_s, {"has": ORDER_CLOSE_TIME}),
        ("reduce_only", VALUE_FLAG, 0, {"other": ORDER_REDUCE_ONLY}),
        ("persistent", VALUE_FLAG, 0, must | {"other": ORDER_PERSISTENT}),
    ])
    build(&FILL, [
        ("trade_id", VALUE_ID, <Py_ssize_t> &fill.trade_id[0], must | {"offset2": <Py_ssize_t> &fill.trade_id_length}),
        ("price", VALUE_PRICE, <Py_ssize_t> &fill.price_e8, must),
        ("amount", VALUE_AMOUNT, <Py_ssize_t> &fill.amount_e8, must),
        ("time", VALUE_TIME, <Py_ssize_t> &fill.time_s, {}),
        ("maker_taker", VALUE_KNOWN_WORD, <Py_ssize_t> &fill.maker, must | {"words": venue.MAKER_TAKER}),
        ("leg_index", VALUE_INT32, <Py_ssize_t> &fill.leg_index, must),
    ])
    build(&POSITION, [
        ("instrument_name", VALUE_INSTRUMENT, <Py_ssize_t> &position.instrument, must),
        ("position", VALUE_SIGNED, <Py_ssize_t> &position.position_e8, must),
        ("mark_price", VALUE_DOUBLE, <Py_ssize_t> &position.mark_price, must),
        ("start_price", VALUE_DOUBLE, <Py_ssize_t> &position.start_price, {}),
        ("average_price", VALUE_DOUBLE, <Py_ssize_t> &position.average_price, {}),
        ("unrealised_pnl", VALUE_DOUBLE, <Py_ssize_t> &position.unrealised_pnl, {}),
        ("realised_pnl", VALUE_DOUBLE, <Py_ssize_t> &position.realised_pnl, {}),
        ("unrealised_perpetual_funding", VALUE_DOUBLE, <Py_ssize_t> &position.unrealised_perpetual_funding, {}),
    ])
    build(&MASS_QUOTE, [
        ("n_success", VALUE_INT32, <Py_ssize_t> &reply.n_success, must),
        ("n_fail", VALUE_INT32, <Py_ssize_t> &reply.n_fail, must),
        ("errors", VALUE_ERRORS, 0, must),
    ])
    build(&ERROR, [
        ("code", VALUE_INT32, <Py_ssize_t> &reply.error_code, must),
        ("message", VALUE_TEXT, 0, must),
    ])
    # ``record`` is the int32 of the code.
    build(&QUOTE_ERROR, [
        ("code", VALUE_INT32, 0, must),
        ("message", VALUE_TEXT, 0, must),
        ("side", VALUE_TEXT, 0, {}),
        ("price", VALUE_EXACT, 0, {}),
    ])
    # An order or a mass quote's counts whose first member is another one.
    build(&OTHER_RESULT, [("order_id", VALUE_SLOW, 0, {}), ("n_success", VALUE_SLOW, 0, {})])
    # What may follow a payload; the members in front of it must not come again.
    build(&TAIL, [
        ("snapshot", VALUE_FLAG, 0, {"other": 1}),
        ("channel_name", VALUE_SLOW, 0, {}),
        ("notification", VALUE_SLOW, 0, {}),
        ("id", VALUE_SLOW, 0, {}),
        ("result", VALUE_SLOW, 0, {}),
        ("error", VALUE_SLOW, 0, {}),
    ])
    return 0


build_market()
build_account()

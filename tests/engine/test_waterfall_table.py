"""The waterfall as text: every stage with its share, in us, and slow reads in a line."""

from engine.live.waterfall_table import slow_line, stages, table
from feed.stamps import NAMES
from kernels.histogram import Histogram


def figures(value_ns: int, n: int = 4) -> dict[str, int]:
    histogram = Histogram()
    for _ in range(n):
        histogram.record(value_ns)
    return histogram.as_dict()


def test_stages_show_their_share_of_the_mean_over_all_ticks() -> None:
    found = {name: figures(1_000) for name in NAMES if name not in ("journal", "model")}
    found["model"] = figures(4_000, 2)
    found["stages_total"] = figures(9_000)
    lines = stages(found)
    assert [line.split()[0] for line in lines] == [*(name for name in NAMES if name != "journal"), "sum"]
    model = next(line for line in lines if "model" in line)
    assert model.split()[1:] == ["22", "%", "2", "2.00", "4.00", "4.00", "4.00", "4.00"]
    assert lines[-1].split()[-6:] == ["4", "9.00", "9.00", "9.00", "9.00", "9.00"]


def test_the_table_leaves_out_what_was_not_timed() -> None:
    text = table({"tick_to_quote": figures(60_000), "ack_mass_quote": figures(3_000_000)})
    assert "read to request written" in text and "60.00" in text
    assert "mass quote until its answer" in text and "3,000.00" in text
    assert "decode" not in text and "garbage" not in text
    assert stages({}) == []


def test_a_slow_read_in_a_line() -> None:
    read = {"at_ns": 10**9, "total_ns": 2_500_000, "messages": 40, "causes": ["preempted"], "stages": None}
    assert slow_line(read, 3 * 10**9).split() == ["2.0", "s", "ago", "2,500", "us,", "40", "messages:", "preempted"]
    stages_ns = {"decode": 5, "book": 2_000_000}
    assert "longest: book 2,000 us" in slow_line({**read, "stages": stages_ns}, 3 * 10**9)
    assert "no cause seen" in slow_line({**read, "causes": []}, 3 * 10**9)

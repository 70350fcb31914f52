"""An interrupt that is swallowed on its way is remembered."""

import signal

import pytest

from engine.cli.interrupt import Interrupt


def test_a_swallowed_signal_ends_the_command_at_the_next_check() -> None:
    interrupt, before = Interrupt(), (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    try:
        interrupt.check()
        interrupt.install()
        with pytest.raises(SystemExit):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(SystemExit) as ended:
            interrupt.check()
        assert ended.value.code == 130
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])

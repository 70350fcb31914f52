"""What is printed of an exception that nobody caught: as always, with everything that looks like a secret taken out."""

import sys
import traceback
from types import TracebackType


def install() -> None:
    """Take over the hooks of the interpreter."""
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _print("".join(traceback.format_exception(kind, error, trace)))


def _unraisable(told: "sys.UnraisableHookArgs") -> None:
    what = told.err_msg or "Exception ignored in"
    text = "".join(traceback.format_exception(told.exc_type, told.exc_value, told.exc_traceback))
    _print(f"{what}: {told.object!r}\n{text}")


def _print(text: str) -> None:
    # Imported only now: most commands end without it.
    from engine.live.log import redacted

    print(redacted(text), end="", file=sys.stderr)

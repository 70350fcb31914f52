"""Exit statuses, the same for every command."""

OK = 0
"""Done."""
FAILED = 1
"""A check failed, the quoter halted, or orders may be left."""
REFUSED = 2
"""Usage or configuration refused; nothing was sent."""
UNREACHABLE = 3
"""No connection could be made, or none was left."""
INTERRUPTED = 130
"""Ended at once by a second Ctrl-C; the venue's cancel-on-disconnect takes the orders out."""

TEXT = "Exit status: 0 done, 1 failed or halted, 2 refused, 3 unreachable, 130 second Ctrl-C."

"""What can go wrong with a request, told apart by what may have happened at the venue."""

from feed.venue import Action, ErrorCode, action


class ClientError(Exception):
    """Base of the errors of ``ThalexClient``."""


class VenueError(ClientError):
    """The venue refused the request (thalex protocol section 9). Match on ``code``; texts are not documented."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        self.name = next((known.name for known in ErrorCode if known == code), "UNKNOWN")
        super().__init__(f"{self.name} ({code}): {message}")

    @property
    def action(self) -> Action:
        """What a quoter does about it."""
        return action(self.code)


class NotSent(ClientError):
    """The request did not leave the process: nothing has happened at the venue, and it may be made again."""


class OutcomeUnknown(ClientError):
    """The request left and no answer came. It may or may not have been carried out: query before anything else."""


class SubscriptionRefused(ClientError):
    """The venue did not take these channels."""

    def __init__(self, channels: list[str]) -> None:
        self.channels = channels
        super().__init__(f"the venue left out {', '.join(channels)}")


class Overrun(ClientError):
    """A subscription's reader was too slow; this many notifications were dropped, and the next one follows."""

    def __init__(self, lost: int) -> None:
        self.lost = lost
        super().__init__(f"{lost} notifications were dropped because they were not read in time")

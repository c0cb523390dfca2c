"""Stop strings in a text that comes in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopMatcher:
    """Cuts a text before the first stop string that becomes complete, however the text is cut into pieces.

    What might be the beginning of a stop string is held back, so that no part of one is ever passed on. Where
    two stop strings become complete with the same character, the longer one is cut off.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.stops = stops
        self.held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """Take the next piece; returns the text that is safe to pass on. Sets `stopped` when a stop string is
        complete."""
        text = self.held + text
        matches = [(start + len(stop), start) for stop in self.stops if (start := text.find(stop)) >= 0]
        if matches:
            self.stopped = True
            self.held = ""
            return text[: min(matches)[1]]
        safe = len(text) - max((_held_back(text, stop) for stop in self.stops), default=0)
        self.held = text[safe:]
        return text[:safe]

    def finish(self) -> str:
        """The text held back at the end, which no stop string completed."""
        held, self.held = self.held, ""
        return held


def _held_back(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((length for length in range(longest, 0, -1) if stop.startswith(text[-length:])), 0)

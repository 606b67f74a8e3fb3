"""How a replay goes on: where it is, how fast, and what becomes of it at the end. Pure values, no clock of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

SLOWEST = 0.25
_FASTEST = 64.0
_USUAL_SECONDS = 30.0  # that a whole run takes at the speed it begins with
_LEAST_SECONDS = 4.0  # that it takes at the greatest speed, where that is beyond the usual


@dataclass(frozen=True)
class Playback:
    """Seconds of the original from its start, and of its whole; original seconds a second.

    ``grows``: the run goes on, so that its end is none. Whoever goes beyond the end of one that does not stops there,
    or begins anew if it ``loops``.
    """

    position: float = 0.0
    length: float = 0.0
    speed: float = 1.0
    playing: bool = False
    loops: bool = False
    grows: bool = False

    @property
    def is_at_end(self) -> bool:
        return self.position >= self.length

    def after(self, seconds: float) -> Playback:
        """So many seconds later."""
        if not self.playing or seconds <= 0:
            return self
        there = self.position + seconds * self.speed
        if there < self.length:
            return replace(self, position=there)
        if self.grows:
            return replace(self, position=self.length)
        if self.loops and self.length > 0:
            return replace(self, position=math.fmod(there, self.length))
        return replace(self, position=self.length, playing=False)

    def toggled(self) -> Playback:
        """Played or paused; played from the start where it has ended."""
        if self.playing:
            return replace(self, playing=False)
        again = self.is_at_end and not self.grows
        return replace(self, playing=True, position=0.0 if again else self.position)

    def looped(self) -> Playback:
        """Round and round, or to the end and no further."""
        return replace(self, loops=not self.loops)

    def at(self, position: float) -> Playback:
        return replace(self, position=min(max(0.0, position), self.length))

    def within(self, length: float, *, grows: bool) -> Playback:
        """The run has become so long, or has been found to be shorter."""
        return replace(self, length=length, position=min(self.position, length), grows=grows)

    def faster(self, way: int) -> Playback:
        """Twice as fast for every step of ``way``, half as fast where it is below 0; within what is of use."""
        speed = min(max(self.speed * 2.0**way, SLOWEST), fastest(self.length))
        return replace(self, speed=speed)


def fastest(length: float) -> float:
    """The greatest speed for a run of so many seconds: 64, or more where even that would take long."""
    return max(_FASTEST, 2.0 ** math.ceil(math.log2(max(1.0, length / _LEAST_SECONDS))))


def usual_speed(length: float) -> float:
    """The power of two at which a run of so many seconds is over in about half a minute."""
    wanted = max(SLOWEST, length / _USUAL_SECONDS)
    return min(2.0 ** round(math.log2(wanted)), fastest(length))

"""How much a terminal has taken in of what it was given, so that a slow one is not sent what is outdated already.

A terminal says nothing by itself, and what is written to it may wait in the system's buffers, in sshd's and on the
line. So it is asked, behind a paint, where its cursor is (device status report 6, which every terminal since the VT100
answers, and tmux, screen and mosh do): the answer says that everything before the question was read. A terminal that
answers promptly is asked once in some paints: to ssh an answer is a key, and newer ones hide the moments of keys behind
a second of other packets.
"""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.driver import Driver

QUERY = b"\x1b[6n"
MOST_BEHIND = 32_000
"""Bytes given and not taken in: with more, what a person's keys change waits as well. About a whole frame of 200x60."""
_PROMPT_SECONDS = 0.25
_UNASKED = 12_000  # bytes that a terminal which answers so promptly is given before it is asked again
_FIRST_SECONDS = 2.5  # a terminal that has not answered the first question by then does not answer any
_AGAIN_SECONDS = 5.0  # doubled each time: an answer may get lost where another terminal takes the place of one
_HASTE_SECONDS = 2.0  # an answer that comes when the app has left would be typed into the shell


class Pacing:
    """What one terminal was given, has taken in and was asked; all in bytes since the app took it over.

    ``waiting``, below: bytes that are known to be still on this machine.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given = 0
        self._taken = 0
        self._asked: int | None = None  # what had been given at the question that has no answer yet
        self._asked_at = 0.0
        self._answers: bool | None = None  # None: not known yet
        self._claimed = False  # the next paint is one that nobody asked for
        self._marked = 0  # where the last such paint ends
        self._round_trip = 0.0  # seconds
        self.patience = _FIRST_SECONDS
        """Seconds after which a question without an answer is to be looked at by ``is_overdue``."""

    def give(self, size: int) -> None:
        """So many bytes more were given to the terminal."""
        self._given += size

    def painted(self) -> bool:
        """What was given makes a whole paint; whether to ask the terminal now."""
        if self._claimed:
            self._marked, self._claimed = self._given, False
        return self._begin_question()

    def answered(self) -> bool:
        """The terminal has answered; whether to ask it again, for what was painted since."""
        self._answers, self.patience = True, _AGAIN_SECONDS
        if self._asked is not None:  # else a second answer to a question that was put twice, or shift+F3
            self._taken, self._asked = self._asked, None
            self._round_trip = self._clock() - self._asked_at
        return self._begin_question()

    def _begin_question(self) -> bool:
        if self._asked is not None or self._given - self._taken < (_UNASKED if self._is_prompt else 1):
            return False
        self._asked, self._asked_at = self._given, self._clock()
        return True

    @property
    def _is_prompt(self) -> bool:
        return self._answers is True and self._round_trip < _PROMPT_SECONDS

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is to come."""
        return self._asked is not None and self._answers is not False

    def is_overdue(self, waiting: int) -> bool:
        """To be called when ``patience`` has passed without an answer; whether to ask once more."""
        if waiting or not self.is_waiting:
            return False  # the question has not left yet
        if self._answers is None:
            self._answers = False  # a late answer, over a very slow line, still makes up for it
            return False
        self.patience *= 2
        return True

    @property
    def haste(self) -> float:
        """Seconds that the app should wait, when it leaves, for an answer that is to come."""
        return min(_HASTE_SECONDS, 0.2 + 2 * self._round_trip) if self.is_waiting else 0.0

    def may_paint(self, waiting: int) -> bool:
        """Whether what changes by itself may be painted: the last such paint was taken in, or is not asked after."""
        if self._answers is False:
            return waiting == 0
        self._claimed = self._asked is None or self._marked <= self._taken
        return self._claimed

    def is_behind(self, waiting: int) -> bool:
        """Whether the terminal has so much before it that nothing more should be painted for now."""
        return max(waiting, self._given - self._taken if self._answers else 0) > MOST_BEHIND


class Paced(Driver):
    """A driver that knows how far its terminal is."""

    @abstractmethod
    def may_paint(self) -> bool:
        """Whether what changes by itself may be painted now."""

    @abstractmethod
    def held_back(self) -> None:
        """The app had something to paint; where painting was suspended for the terminal, that is to be made up for."""


class PacedApp(App[str]):
    """An app whose terminal may be slow or stand still. Without a terminal of its own, nothing is different."""

    def get_driver_class(self) -> type[Driver]:
        usual = super().get_driver_class()
        if os.name != "posix" or usual.__name__ != "LinuxDriver":
            return usual
        from tui_mm.dashboard.driver import PacedDriver

        return PacedDriver

    @property
    def may_paint(self) -> bool:
        """Whether what changes by itself, as a training does, may be painted now. What a person's keys change always
        may."""
        driver: Any = self._driver
        return driver.may_paint() if isinstance(driver, Paced) else True

    def post_display_hook(self) -> None:
        """Textual calls it behind each paint, and where painting is suspended in place of it."""
        if isinstance(self._driver, Paced):
            self._driver.held_back()

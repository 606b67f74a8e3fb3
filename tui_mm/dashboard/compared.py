"""The runs of a comparison, followed for as long as they are looked at."""

from __future__ import annotations

from tui_mm.config import RunConfig
from tui_mm.runs.follow import RunFollower
from tui_mm.runs.home import RunError
from tui_mm.runs.listing import read_row
from tui_mm.runs.row import RunRow
from tui_mm.runs.run import Run


class Compared:
    """A run with who follows it: None where its store cannot be read, which ``row`` then tells of."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.row = read_row(run)
        self.follower: RunFollower | None = None
        try:
            self.follower = RunFollower(run)
            self.follower.poll()
        except RunError as error:
            self._lose(error)
        self.seen = self._state()  # what was there when ``row`` was read

    @property
    def name(self) -> str:
        return self.row.name or self.row.id

    def config(self) -> RunConfig:
        """Raises RunError."""
        return self.run.config()

    def look(self) -> bool:
        """Take in what is new: whether the run was evaluated, or has come to another state."""
        if self.follower is None:
            return False
        try:
            self.follower.poll()
        except RunError as error:
            self._lose(error)
            self.seen = None
            return True
        now = self._state()
        if now == self.seen:
            return False
        self.seen, self.row = now, read_row(self.run)
        return True

    def close(self) -> None:
        if self.follower is not None:
            self.follower.close()
            self.follower = None

    def _state(self) -> object:
        follower = self.follower
        if follower is None:
            return None
        return follower.meta.get("generation"), len(follower.evaluations), follower.status

    def _lose(self, error: RunError) -> None:
        self.close()
        if not self.row.fault:
            self.row = RunRow(self.run.id, self.row.name, fault=str(error))

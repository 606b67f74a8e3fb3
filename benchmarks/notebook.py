"""The reference of every row: the lecture's notebook, which stands in the program, since its race runs it too."""

from tui_mm.experiments.notebook import (
    STEPS,
    NotebookLoop,
    Windows,
    initial_parameters,
    lecture_config,
    number_letters,
    shuffled_parts,
    train,
    windows_of,
    windows_of_parts,
    windows_of_text,
)

__all__ = [
    "STEPS",
    "NotebookLoop",
    "Windows",
    "initial_parameters",
    "lecture_config",
    "number_letters",
    "shuffled_parts",
    "train",
    "windows_of",
    "windows_of_parts",
    "windows_of_text",
]

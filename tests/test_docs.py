"""What the documents say of the project is so."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{path.name}" for path in sorted((REPOSITORY / "docs").glob("*.md"))),
]


def test_every_test_that_the_promises_name_is_there_and_writes_down_what_it_found() -> None:
    text = (REPOSITORY / "docs" / "reliability.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+(?:\*)?\.py)`", text))
    assert len(named) > 10
    for pattern in named:
        files = list((REPOSITORY / "tests").glob(pattern))
        assert files, pattern
        if pattern not in ("test_processes.py",):  # older than the table
            assert any("promised(" in file.read_text(encoding="utf-8") for file in files), pattern


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    path = REPOSITORY / document
    for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target

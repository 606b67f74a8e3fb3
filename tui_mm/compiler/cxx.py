"""The C++ compiler. No torch."""

from __future__ import annotations

import os
import shutil
import sys


def compiler_name() -> str:
    """The one that torch takes: ``CXX``, or the platform's."""
    return os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")


def has_compiler() -> bool:
    return shutil.which(compiler_name()) is not None

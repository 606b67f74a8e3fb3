"""What is wrong with torch, where it cannot be used: one line, with the way out. Loads torch only when asked."""

from __future__ import annotations

OLDEST = (2, 6)
INSTALL = "python -m pip install 'torch>=2.6,<2.14'"


class TorchError(ImportError):
    """Torch is missing, broken or too old; one line for a person."""


def require_torch() -> None:
    """Load torch. Raises TorchError."""
    fault = torch_fault()
    if fault:
        raise TorchError(fault)


def torch_fault() -> str:
    """Why torch cannot be used, and how to get it; "" where it can. Takes a second where it was not loaded yet."""
    try:
        import torch
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            return _broken(error)
        return f"torch is not installed, and training and sampling need it: {INSTALL}"
    except Exception as error:  # noqa: BLE001, whatever a broken installation comes to
        return _broken(error)
    version = str(getattr(torch, "__version__", "of no version"))
    if _numbers(version) < OLDEST:
        return f"torch {version} is too old, {'.'.join(map(str, OLDEST))} is the oldest that works: {INSTALL}"
    return ""


def _broken(error: Exception) -> str:
    why = " ".join(str(error).split()) or type(error).__name__
    return f"torch is installed and cannot be loaded ({why}); install it anew: {INSTALL} --force-reinstall"


def _numbers(version: str) -> tuple[int, ...]:
    """Of 2.13.0+cpu, 2 and 13; as many as there are."""
    found: list[int] = []
    for part in version.split("+")[0].split(".")[:2]:
        if not part.isdecimal():
            break
        found.append(int(part))
    return tuple(found)

"""Two shares of each of a few things, as bars side by side. Pure text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

_EIGHTHS = " ▏▎▍▌▋▊▉"
_PERCENT = 5  # cells of " 100%"
_NO_STYLES = (Style.null(), Style.null())


def paired_bars(
    rows: Sequence[tuple[str, float, float]],
    heads: tuple[str, str],
    *,
    width: int,
    ascii_only: bool = False,
    styles: tuple[Style, Style] = _NO_STYLES,
) -> Text:
    """A head line, then a line for each (label, share, share): shares from 0 to 1, the greatest as long as can be."""
    names = max((cell_len(label) for label, _, _ in rows), default=0) + 1
    bar = max(1, (width - names - 2 * _PERCENT - 1) // 2)
    cell = bar + _PERCENT + 1
    full = max((share for _, *pair in rows for share in pair), default=0.0) or 1.0
    lines = [Text(f"{'':<{names}}{set_cell_size(heads[0], cell - 1)} {heads[1]}", "dim")]
    for label, *pair in rows:
        line = Text(set_cell_size(label, names))
        for share, style in zip(pair, styles, strict=True):
            line.append(one_bar(share / full, bar, ascii_only=ascii_only), style)
            line.append(f"{share:>{_PERCENT}.0%} ")
        line.rstrip()
        lines.append(line)
    return Text("\n", no_wrap=True).join(lines)


def one_bar(share: float, width: int, *, ascii_only: bool = False) -> str:
    """A share from 0 to 1 of ``width`` cells, padded to them."""
    if ascii_only:
        return ("#" * round(share * width)).ljust(width)
    whole, part = divmod(round(8 * width * share), 8)
    return ("█" * whole + (_EIGHTHS[part] if part else "")).ljust(width)

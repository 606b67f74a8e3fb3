"""A run as a table for a spreadsheet, pandas or R: a row a step. Numbers alone, whatever names and words hold."""

from __future__ import annotations

from tui_mm.runs.export_source import RunSnapshot, Sink, Steps

COLUMNS = ("step", "loss", "lr", "seconds", "train", "dev")


def write_csv(source: RunSnapshot, out: Sink) -> int:
    """One header row, then a row a step; returns how many steps there were.

    step: from 1 on, and a row 0 for the evaluation before the training; loss: of the step's minibatch, before its
    update, float32 in as few digits as give the same bits; lr; seconds since the run began, evaluations included;
    train and dev: over the whole splits, after this step, empty where none was taken. Losses are in nats; those that
    are not finite stand as nan, inf and -inf.
    """
    out.write(f"{','.join(COLUMNS)}\n".encode())
    steps = 0
    row, row_of = "", -1  # the last one, which waits for an evaluation, and its step
    for item in source.history():
        if isinstance(item, Steps):
            values = zip(item.losses.astype(str).tolist(), item.lr.tolist(), item.seconds.tolist(), strict=True)
            rows = [f"{n},{loss},{lr!r},{at:.6f}" for n, (loss, lr, at) in enumerate(values, item.first)]
            steps = item.first + len(rows) - 1
            ready = [row, *rows[:-1]] if row else rows[:-1]
            row, row_of = rows[-1], steps
            out.write("".join(f"{each},,\n" for each in ready).encode())
            continue
        if item.step != row_of:
            if row:
                out.write(f"{row},,\n".encode())
            row = f"{item.step},,,{item.seconds:.6f}"
        dev = "" if item.dev is None else repr(item.dev)
        out.write(f"{row},{item.train!r},{dev}\n".encode())
        row, row_of = "", -1
    if row:
        out.write(f"{row},,\n".encode())
    return steps

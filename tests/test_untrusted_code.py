"""No file of words, configurations, runs or experiments becomes code: held by what the source names, and by what the
interpreter is asked to do while such files are read."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, Promise
from tests.hostile import NASTY, change, settle, sound_experiment, sound_run
from tui_mm.runs.home import Home

PACKAGES = ("data", "models", "tui_mm", "benchmarks")

MODULES = {"pickle", "cPickle", "_pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "code",
           "codeop", "imp", "runpy", "pty", "xmlrpc", "dbm", "ctypes"}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
ATTRIBUTES = {
    ("torch", "load"), ("torch", "save"), ("torch", "hub"), ("torch", "jit"), ("np", "load"), ("numpy", "load"),
    ("np", "save"), ("np", "fromfile"), ("np", "memmap"), ("os", "system"), ("os", "popen"), ("os", "execv"),
    ("os", "execvp"), ("os", "execve"), ("os", "spawnv"), ("os", "posix_spawn"), ("db", "enable_load_extension"),
    ("_db", "enable_load_extension"), ("tempfile", "mktemp"), ("pd", "read_pickle"),
}  # fmt: skip
STARTING = {
    "tui_mm/worker/client.py", "tui_mm/experiments/starting.py", "tui_mm/experiments/side.py", "tui_mm/cli/guard.py",
    "tui_mm/compiler/compilation.py",
}  # fmt: skip
"""Where programs are started: this very interpreter, with a list of arguments, and a shell with a script of ours."""
LOADING = {"tui_mm/compiler/compilation.py"}
"""Where a compiled program is loaded, which runs it: from its user's own cache, see tests/test_program_cache.py."""
SEEKING = {"tui_mm/cli/help.py"}
"""Where a module is sought by its name: of our own commands."""


@cache
def sources() -> list[tuple[str, ast.Module]]:
    paths = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]
    return [(path.relative_to(REPOSITORY).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def banned(tree: ast.AST) -> Iterator[str]:
    """What of a module's source could make code of data, or keep objects as such."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (n.name for n in names if n.name.partition(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                if module.partition(".")[0] in MODULES:
                    yield module
                yield from (f"{module}.{n.name}" for n in names if (module.rpartition(".")[2], n.name) in ATTRIBUTES)
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield name
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=attribute):
                if (owner, attribute) in ATTRIBUTES:
                    yield f"{owner}.{attribute}"
            case ast.keyword(arg="shell" | "allow_pickle" | "weights_only", value=ast.Constant(value=value)):
                if value is not False:
                    yield f"{node.arg}={value}"


def test_nothing_in_the_source_makes_code_of_data(promised: Promise) -> None:
    found = {f"{name}: {what}" for name, tree in sources() for what in banned(tree)}
    number = len(sources())
    assert number > 150
    assert found == set()
    promised("No pickle, eval, exec, torch.load, yaml or shell in the source", tried=number, lost=0, figure="files")


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from yaml import load", "eval('1')", "import torch\ntorch.load('x')", "np.load('x')",
     "from torch import load", "import subprocess as s\ns.run('x', shell=True)", "x.np.load(f, allow_pickle=True)",
     "exec(f.read())", "import ctypes.util"],
)  # fmt: skip
def test_such_a_source_would_be_found(source: str) -> None:
    assert list(banned(ast.parse(source)))


def test_programs_are_started_and_modules_sought_where_it_is_known() -> None:
    named: dict[str, set[str]] = {"subprocess": set(), "import_module": set()}
    for name, tree in sources():
        for node in ast.walk(tree) if not name.startswith("benchmarks/") else ():
            names = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [node.attr] if isinstance(node, ast.Attribute) else []
            for wanted, places in named.items():
                if wanted in names or getattr(node, "module", None) == wanted:
                    places.add(name)
    assert named == {"subprocess": STARTING, "import_module": SEEKING}


def test_compiled_programs_are_loaded_in_one_place() -> None:
    loading = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith(("AOTI", "load_library", "load_package", "aoti_load"))
        )
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("AOTI"))
    }
    assert loading == LOADING


_AUDITED = """
import sys
from pathlib import Path
import numpy, encodings.utf_16, encodings.latin_1, encodings.idna, encodings.punycode, sqlite3
from tests.hostile import READERS, REFUSALS
from data.catalog import load
from tui_mm.cli.app import run as command
from tui_mm.config import make_config
from tui_mm.experiments.kept import KeptExperiment
from tui_mm.runs.checkpoints import load_checkpoint
from tui_mm.runs.home import Home
from tui_mm.runs.run import Run
from tui_mm.settings import Settings
import tui_mm.cli.runs, tui_mm.cli.experiments, tui_mm.cli.logs, tui_mm.dashboard.charts.experiment
import tui_mm.dashboard.charts.figure, plotext, rich.cells

home, ident, experiment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
run = Run(home / "runs" / ident)
acts = [
    *(lambda read=read: read(run) for read in READERS.values()),
    lambda: load_checkpoint(run.checkpoint("last")),
    lambda: KeptExperiment(home / "experiments" / experiment).read(),
    lambda: load(str(home / "words.txt"), cache=home),
    lambda: load(str(home / "words.txt"), cache=home, level="word"),
    lambda: make_config(file=home / "run.toml"),
    lambda: Settings.load(Home(home)),
    lambda: command(["runs", "--home", str(home)]),
    lambda: command(["runs", "show", ident, "--home", str(home)]),
    lambda: command(["logs", ident, "--home", str(home)]),
    lambda: command(["experiments", "show", experiment, "--home", str(home)]),
]

def once():
    for act in acts:
        try:
            act()
        except REFUSALS:
            pass

once()  # what is loaded at first use is ours
said = []
library = tuple(str(Path(p).resolve()) for p in sys.path if p) + (sys.prefix, sys.base_prefix)

def look(event, arguments):
    if event in ("exec", "compile", "marshal.loads", "pickle.find_class", "os.exec", "os.fork", "os.forkpty",
                 "os.posix_spawn", "os.system", "subprocess.Popen", "pty.spawn", "ctypes.dlopen", "code.__new__",
                 "sqlite3.load_extension", "sqlite3.enable_load_extension", "socket.connect", "urllib.Request"):
        said.append(f"{event} {arguments!r:.200}")
    elif event == "import" and arguments[0].partition(".")[0] in ("pickle", "_pickle", "yaml", "marshal"):
        said.append(f"import {arguments[0]}")
    elif event in ("open", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.truncate", "shutil.rmtree",
                   "sqlite3.connect", "os.link", "os.symlink", "os.mkdir", "os.listdir", "os.scandir"):
        path = arguments[0]
        if isinstance(path, (str, bytes, Path)):
            path = Path(path.decode() if isinstance(path, bytes) else path).absolute()
            resolved = path.resolve()
            if not (resolved.is_relative_to(home.resolve()) or str(resolved).startswith(library)):
                said.append(f"{event} {path}")

sys.addaudithook(look)
once()
found = list(said)
open("/etc/passwd").close()
eval("1")
assert len(said) >= len(found) + 3, "the hook sees nothing"
said = found
sys.stderr.write("\\n".join(["AUDIT", *said]))
"""


def test_reading_runs_no_code_and_opens_nothing_outside_the_home(home: Path, promised: Promise) -> None:
    """With files that try: paths in every text, links out of the home, and source where values belong."""
    place = Home(home)
    run, kept = sound_run(place), sound_experiment(place)
    code = "__import__('os').system('touch /tmp/owned')"
    for text in (code, "../../../../etc/passwd", "/etc/passwd", "!!python/object/apply:os.system ['id']"):
        change(run, "INSERT INTO events (time, step, kind, message) VALUES (1e9, 1, ?, ?)", text, text)
        change(run, "INSERT INTO samples VALUES (10, (SELECT count(*) + 5 FROM samples), ?, ?)", text, text)
    with run.store() as store:
        told = store.get("data")
        store.set(data=told | {"name": "/etc/passwd", "source": "/etc/shadow"}, name="../../etc/hosts", torch=code)
    settle(run.folder / "run.db")
    (run.folder / "best.safetensors").symlink_to("/etc/passwd")
    (run.folder / "worker.log").unlink()
    (run.folder / "worker.log").symlink_to("/etc/passwd")
    (home / "words.txt").write_text("\n".join(["emma", code, "/etc/passwd", *NASTY[:6]]), encoding="utf-8")
    (home / "run.toml").write_text(f'data = "{code}"\n')
    (home / "settings.json").write_text('{"theme": "/etc/passwd", "panel": "__import__", "recent": ["/etc/passwd"]}')
    done = subprocess.run(
        [sys.executable, "-c", _AUDITED, str(home), run.id, kept.id],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    _, _, said = done.stderr.partition("AUDIT")
    assert said.split("\n")[1:] == []
    promised(
        "Reading files runs no code and opens nothing outside the home", tried=19, lost=0, figure="readers audited"
    )

"""An OpenSSH server of one's own on the loopback interface, and a line to it that can be counted, stopped and cut."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from benchmarks.terminal import PATIENCE_S, PROGRAM, TerminalError, environment

_HOST = "127.0.0.1"
_SEPARATION = Path("/run/sshd")  # Debian's sshd asks for it where it is started by root
_CONFIGURATION = """
ListenAddress {host}
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/person.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
"""


def _find(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def missing() -> str:
    """What there is not of what a server of one's own needs, as a line for a person; "" where all is there."""
    absent = [name for name in ("sshd", "ssh", "ssh-keygen") if _find(name) is None]
    if absent:
        return f"{' and '.join(absent)} of OpenSSH must be installed (Debian: openssh-server and openssh-client)"
    if os.geteuid() == 0 and not _SEPARATION.is_dir() and _find("unshare") is None:
        return f"sshd, started by root, needs the folder {_SEPARATION}"
    return ""


class Server:
    """sshd as the present user, with keys of its own in ``folder`` and no other way in. Ends with its sessions.

    Raises TerminalError when it does not come up.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("host", "person"):
            subprocess.run(
                [str(_find("ssh-keygen")), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
            )
        with socket.create_server((_HOST, 0)) as free:
            self.port = int(free.getsockname()[1])
        (folder / "sshd_config").write_text(_CONFIGURATION.format(host=_HOST, port=self.port, folder=folder))
        command = [str(_find("sshd")), "-D", "-e", "-f", str(folder / "sshd_config")]
        if os.geteuid() == 0 and not _SEPARATION.is_dir():  # give it one that nobody else sees
            script = f'mount -t tmpfs tmpfs /run && mkdir -m 755 {_SEPARATION} && exec "$@"'
            command = [str(_find("unshare")), "--mount", "sh", "-c", script, "sh", *command]
        with (folder / "sshd.log").open("wb") as log:
            self.process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        give_up = time.monotonic() + PATIENCE_S
        while "Server listening" not in self._log():
            if self.process.poll() is not None or time.monotonic() > give_up:
                self.process.kill()
                raise TerminalError(f"sshd did not come up; it says:\n{self._log()}")
            time.sleep(0.02)

    def _log(self) -> str:
        return (self._folder / "sshd.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sessions = self.sessions()
        self.process.terminate()
        for session in sessions:
            try:
                session.kill()
            except psutil.NoSuchProcess:
                continue  # ended by itself
        self.process.wait()

    def sessions(self) -> list[psutil.Process]:
        """The processes of sshd that serve a connection each, or a part of one; oldest first."""
        found = []
        for child in self.process.children(recursive=True):
            try:
                if child.name() == "sshd" or child.name().startswith("sshd-"):
                    found.append(child)
            except psutil.NoSuchProcess:
                continue
        return found

    def program(self, home: Path, *, port: int | None = None, options: Sequence[str] = ()) -> list[str]:
        """What is typed here to run our program there, in a terminal and with a home of its own; its arguments follow,
        quoted for a shell. ``port``: of a line to this server."""
        usual = environment(home)
        remote = ["env", *(f"{name}={usual[name]}" for name in ("MAKEMORE_HOME", "PYTHONPATH", "LANG")), *PROGRAM]
        return [
            str(_find("ssh")), "-tt", "-F", "none", "-p", str(port or self.port), "-i", str(self._folder / "person"),
            "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self._folder / 'known'}",
            "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", *options, _HOST, *map(shlex.quote, remote),
        ]  # fmt: skip


class Line:
    """Carries one connection after another to a server's port, and counts what it carries: TCP's payload."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._accepting = socket.create_server((_HOST, 0))
        self.port = int(self._accepting.getsockname()[1])
        self.down = 0  # bytes to the person
        self.up = 0  # bytes to the server
        self._goes = threading.Event()
        self._goes.set()
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._accepting.shutdown(socket.SHUT_RDWR)
        self._accepting.close()
        self.go_on()
        self.cut()

    def stop(self) -> None:
        """From now on nothing gets through, and nobody is told: as where a laptop sleeps."""
        self._goes.clear()

    def go_on(self) -> None:
        self._goes.set()

    def cut(self) -> None:
        """Reset every connection, for both its ends."""
        ends, self._ends = self._ends, []
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):  # it had ended already
                end.shutdown(socket.SHUT_RD)  # wakes who reads it
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                person, _ = self._accepting.accept()
            except OSError:  # closed
                return
            server = socket.create_connection((_HOST, self._to))
            self._ends += [person, server]
            threading.Thread(target=self._carry, args=(server, person, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(person, server, False), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_down: bool) -> None:
        try:
            while True:
                self._goes.wait()
                data = source.recv(1 << 16)
                self._goes.wait()
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if is_down:
                    self.down += len(data)
                else:
                    self.up += len(data)
                sink.sendall(data)
        except OSError:  # cut
            return

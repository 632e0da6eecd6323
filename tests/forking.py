"""Processes of the command `adapter` that need not import everything first.

A server with everything imported, and nothing opened, forks for each command: what comes of it is a
process like any other, with a number, signals, an exit code, and an environment, a folder and streams of
its own. Only the second that every process spends importing and compiling is spent once.

What starts the command as a person does, by its path, is tested in tests/acceptance and tests/unit. Whoever
starts it so many times over can have an executable that forks too: `executable`.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

import known_mappings

from adapter.testing.commands import Process, execute

__all__ = ["Forked", "executable", "launch", "start"]

_MOST = 1_000_000  # bytes of a request
_LISTEN = b"listen"  # a request of another sort: for those who come by themselves
_UNFLUSHED = 120  # what Python ends with then
_OTHERS = (
    "adapter.migrations",
    "adapter.fhir.definitions.generate",
    "adapter.units.generate",
)  # not run here
_LATER = (  # what commands import while they run
    "alembic.command",
    "encodings.idna",
    "openpyxl",
    "psycopg",
    "pydantic.v1",
    "pymysql",
    "rich._emoji_codes",
    "rich.progress",
    "rich.traceback",
    "sqlite3",
    "structlog",
    "typer._adapters",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
)


_EXECUTABLE = """#!{python} -IS
import json, os, signal, socket, sys
handed_on = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
signal.pthread_sigmask(signal.SIG_BLOCK, handed_on)  # until it is known to whom
there = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
there.connect({address!r})
said = {{"arguments": sys.argv[1:], "cwd": os.getcwd(), "env": dict(os.environ), "command": {command!r}}}
socket.send_fds(there, [json.dumps(said).encode()], [0, 1, 2])
pid = int(there.recv(100))
for number in handed_on:
    signal.signal(number, lambda number, _: os.kill(pid, number))
signal.pthread_sigmask(signal.SIG_UNBLOCK, handed_on)
code = int(there.recv(100))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
"""


class Forked:
    """What `subprocess.Popen` is, as far as tests use it."""

    def __init__(self, pid: int, answer: socket.socket, args: Sequence[str]) -> None:
        self.pid = pid
        self.args = args
        self.returncode: int | None = None
        self._answer = answer

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, -N if signal N ended it. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._answer], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
            self.returncode = int(self._answer.recv(100))
            self._answer.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def launch(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> Process:
    """Start `adapter ARGUMENTS`: forked where that can be, else by its path."""
    begin = start if sys.platform == "linux" else execute
    return begin(arguments, cwd=cwd, env=env, stdout=stdout, stderr=stderr)


def start(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> Forked:
    """Start `adapter ARGUMENTS`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
    with theirs, open(os.devnull, "rb") as nothing:
        files = [theirs.fileno(), nothing.fileno(), stdout.fileno(), stderr.fileno()]
        socket.send_fds(_server(_loaded_with(env)), [request], files)
    return Forked(int(ours.recv(100)), ours, ["adapter", *arguments])


def executable(folder: Path) -> Path:
    """An executable `adapter` in a new folder there. It ends as what it forks does, hands signals on to it,
    and takes it with it when it is killed.
    """
    place = folder / "bin"
    place.mkdir()
    address = place / "s"  # a name in a folder of pytest's is long, and this may have 107 characters
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _MOST)
        listener.bind(str(address))
        listener.listen(64)
        command = place / "adapter"
        script = _EXECUTABLE.format(python=sys.executable, address=str(address), command=str(command))
        command.write_text(script)
        command.chmod(0o755)
        socket.send_fds(_server(()), [_LISTEN], [listener.fileno()])
    return command


def _loaded_with(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What the loader, or a library that it loads, reads before Python begins: a fork comes too late."""
    if "LD_PRELOAD" not in environment:
        return ()
    names = [name for name in environment if "FAKE" in name or name in ("LD_PRELOAD", "PYTHONPATH")]
    return tuple((name, environment[name]) for name in sorted(names))


@cache
def _server(loaded_with: tuple[tuple[str, str], ...]) -> socket.socket:
    """A server of this process, one for all that is loaded alike; it ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MOST)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, **dict(loaded_with)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl+C is for the tests, which then end it
        )

    def end() -> None:
        ours.close()
        process.wait(30)

    atexit.register(end)
    return ours


# -- the server ----------------------------------------------------------------------------------------


def _import_all() -> None:
    import adapter

    for found in pkgutil.walk_packages(adapter.__path__, "adapter."):
        if not found.name.startswith(_OTHERS):
            importlib.import_module(found.name)
    for name in _LATER:
        with contextlib.suppress(ImportError):  # another version has it elsewhere
            importlib.import_module(name)
    _know_mappings()
    _know_commands()
    gc.collect()
    gc.freeze()  # no fork need look at it, and copy it by that


def _know_mappings() -> None:
    """What a process remembers once it has mapped something: the shipped mappings, as they are in the folder
    and as a hospital has them in force, and their expressions, compiled.
    """
    from adapter.mapping.engine import HospitalContext
    from adapter.mapping.folder.snapshot import MappingSnapshot
    from adapter.pipeline.layout_context import layout_context
    from adapter.pipeline.mapping_loading import load_mappings
    from adapter.settings import Settings

    known_mappings.share()
    settings = Settings(mappings=Path(__file__).parents[1] / "mappings")
    mappings = load_mappings(settings)
    with MappingSnapshot.from_folder(settings.mappings_folder).extracted() as in_force:
        load_mappings(settings, in_force)
    layout_context(settings)
    engine = mappings.engine(HospitalContext("", "", "", {}, "", "", "", lambda *_: ""))
    for listed in engine.maps_of.values():
        for map_ in listed:
            engine.evaluator(map_)


def _know_commands() -> None:
    """What a process makes of the declared commands before it looks at its arguments."""
    import typer.main

    from adapter.cli.app import app

    typer.main.get_command = cache(typer.main.get_command)
    dict(typer.main.get_command(app).commands)


class _Children:
    """What was forked and runs, each with whom its end is told."""

    def __init__(self) -> None:
        self.running: dict[int, socket.socket] = {}
        self.alone: dict[socket.socket, int] = {}  # of those who, killed, take it with them

    def fork(self, answer: socket.socket, *, alone: bool) -> bool:
        """Whether this is the child."""
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in self.running.values():
                one.close()
            return True
        self.running[pid] = answer
        if alone:
            self.alone[answer] = pid
        answer.send(str(pid).encode())
        return False

    def reap(self) -> None:
        """Tell of those that have ended."""
        while self.running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with self.running.pop(pid) as answer, contextlib.suppress(OSError):  # nobody may want to know
                self.alone.pop(answer, None)
                answer.send(str(os.waitstatus_to_exitcode(status)).encode())

    def leave(self, gone: Collection[object]) -> None:
        """Of those who were alone these are gone."""
        for answer in [one for one in self.alone if one in gone]:
            os.kill(self.alone.pop(answer), signal.SIGKILL)


def _serve(requests: socket.socket) -> list[str]:
    """Fork for each request until there will be none. Returns in each forked process: its arguments."""
    children, listeners = _Children(), list[socket.socket]()
    woken, wakes = socket.socketpair()
    for end in (woken, wakes):
        end.setblocking(False)
    signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([requests, woken, *listeners, *children.alone], [], [])
        if woken in ready:
            woken.recv(1000)
            children.reap()
        children.leave(ready)
        for one in [one for one in (requests, *listeners) if one in ready]:
            request, files, answer = _received(one, is_ours=one is requests)
            if request == _LISTEN:
                assert answer is not None
                listeners.append(answer)
            elif answer is not None:
                if children.fork(answer, alone=one is not requests):
                    for each in (requests, woken, wakes, *listeners, answer):
                        each.close()
                    return _become(json.loads(request), files)
                for file in files:
                    os.close(file)


def _received(one: socket.socket, *, is_ours: bool) -> tuple[bytes, list[int], socket.socket | None]:
    """A request, the streams of what it asks for, and where the answer goes: the first that came with it, or
    back to who came by himself, if he asks for anything. There are no more when our own end is closed.
    """
    asking = one if is_ours else one.accept()[0]
    request, files, _, _ = socket.recv_fds(asking, _MOST, 4)
    if is_ours and not request:
        sys.exit()
    return request, files, socket.socket(fileno=files.pop(0)) if is_ours else asking if request else None


def _become(request: dict[str, object], files: list[int]) -> list[str]:
    """This process is the command from now on."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(str(request["cwd"]))
    environment, arguments = request["env"], request["arguments"]
    assert isinstance(environment, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    if "ADAPTER_LANG" in environment or any(word.startswith("--lang") for word in arguments):
        for name in [name for name in sys.modules if name.startswith("adapter.cli")]:
            del sys.modules[name]  # their help is in the language that they were imported in
    sys.argv = [str(request.get("command") or Path(sys.executable).with_name("adapter")), *arguments]
    return arguments


def _end(code: int) -> NoReturn:
    """What the interpreter does at its end and others see: threads, registered functions, streams. Not what
    it does for itself: to take apart all that was inherited would copy it first.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as Py_Finalize does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or _UNFLUSHED
    os._exit(code)


def _main(serve: Callable[[socket.socket], list[str]] = _serve) -> None:
    _import_all()
    serve(socket.socket(fileno=int(sys.argv[1])))
    from adapter.cli import main

    try:
        main()
    except SystemExit as ending:
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
        _end(ending.code if isinstance(ending.code, int) else int(ending.code is not None))
    except Exception:  # noqa: BLE001 - as the interpreter ends
        sys.excepthook(*sys.exc_info())
        _end(1)
    _end(0)


if __name__ == "__main__":
    sys.path.pop(0)  # the tests' folder, where this file is
    _main()

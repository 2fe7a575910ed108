"""`python -m headgate` without its second of imports: forked from a process that has made them and nothing else.

What is forked runs `headgate/__main__.py` in a process of its own, with its own arguments, environment, folder and
output, as if it had been started. Only what starts import is there before. What this cannot show is what Python itself
does at a start (`sitecustomize`, PYTHONHASHSEED) and at an end, which commands load what, and how the process looks to
others (`/proc/…/cmdline`): a test of that starts it afresh.
"""

import atexit
import contextlib
import functools
import gc
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from importlib import import_module
from pathlib import Path

import headgate

PRELOADED = ("headgate.cli", "headgate.config.load", "headgate.server.main", "headgate.admin.mount", "encodings.idna")
PLUGINS = ("headgate.dialects", "headgate.providers", "headgate.stages.policies")
LENGTH = 1 << 20


class Forked:
    """A process like subprocess.Popen's: its exit code comes over a socket from the one that waits for it."""

    def __init__(self, arguments, *, environ, folder, output, errors, code=None):
        """`output`, `errors`: open files; `code`: Python to run instead of the command line, as `python -c` does.

        Raises OSError when the process to fork from has ended.
        """
        self.returncode = None
        self._told, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        wanted = {"arguments": list(arguments), "environ": environ, "folder": str(folder), "code": code}
        asked = json.dumps(wanted).encode()
        with theirs:
            socket.send_fds(_origin(), [asked], [theirs.fileno(), output.fileno(), errors.fileno()])
        said = self._told.recv(64)
        if not said:
            raise ChildProcessError("nothing can be forked any more: what the tests print on standard error says why")
        self.pid = int(said)

    def poll(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout=None):
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(64))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("headgate", timeout) from None
            self._told.close()
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def __del__(self):
        self._told.close()


def run(arguments, *, environ, folder, code=None, timeout=60):
    """Like subprocess.run of `headgate` with these arguments: its exit code and what it printed, as text."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = Forked(arguments, environ=environ, folder=folder, output=output, errors=errors, code=code)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        printed = []
        for file in (output, errors):
            file.seek(0)
            printed.append(file.read().decode())
    return subprocess.CompletedProcess(["headgate", *arguments], process.returncode, *printed)


@functools.cache
def _origin():
    """The line to the process that forks; it ends when this one does."""
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    source = str(Path(headgate.__file__).parents[1])  # the same code as the tests import
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno()), source],
            env={**os.environ, "PYTHONPATH": source},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def end():
        ours.close()
        process.wait(20)

    atexit.register(end)
    return ours


def fork_when_asked(line, source):
    """Returns in each process that is to become a `headgate`; the code to run instead, if any."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the tests and for the gateways
    for name in PRELOADED:
        import_module(name)
    for package in PLUGINS:
        for found in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
            import_module(found.name)
    places = [each for each in sys.path if each != source]
    gc.freeze()  # to look through all that for garbage, each process would have to copy it first
    while True:
        asked, files, _, _ = socket.recv_fds(line, LENGTH, 3)
        _forget_the_dead()
        if not asked:
            os._exit(0)
        if os.fork() == 0:
            line.close()
            return _become(json.loads(asked), *files, places)
        for file in files:
            os.close(file)


def _forget_the_dead():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _become(asked, told, output, errors, places):
    """Forks once more: this one stays, to say who it is and how it ended, since its parent has no time to."""
    pid = os.fork()
    if pid:
        os.write(told, b"%d" % pid)
        for file in (output, errors):
            os.close(file)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(OSError):  # nobody wants to know any more
            os.write(told, b"%d" % code)
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.close(told)
    os.dup2(output, 1)
    os.dup2(errors, 2)
    for file in {output, errors} - {1, 2}:
        os.close(file)
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115 - to its end
    sys.stderr = open(2, "w", 1, encoding=sys.stderr.encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115 - to its end
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    time.tzset()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:] = [os.getcwd(), *given, *places]
    sys.argv[1:] = asked["arguments"]
    return asked["code"]


def _leave(code):
    """Ends as Python does, but for taking all modules apart, which takes longer than most commands."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        code = fork_when_asked(asking, sys.argv[2])
    try:
        if code is None:
            runpy.run_module("headgate", run_name="__main__", alter_sys=True)
        else:
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
            sys.exit(0)
    except SystemExit as end:
        _leave(end.code)

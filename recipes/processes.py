"""Start a stage's process, watch it, and leave nothing of it behind.

verl starts Ray, and Ray starts a dozen processes in sessions of their own; vLLM adds more. Three things together make
sure that each of them can be found again: this process adopts orphaned descendants (PR_SET_CHILD_SUBREAPER), a child
is told when its parent dies (PR_SET_PDEATHSIG), and all carry a marker in their environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from .errors import RunError

MARKER = "MEDRFT_RUN"
GRACE_SECONDS = 10.0
TICK_SECONDS = 0.5
ROUNDS = 3
MEMORY_TICK_SECONDS = 3.0

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# In front of a worker's line: terminal colours, Ray's "(TaskRunner pid=12, ip=...)", "[repeated 3x ...]" behind it.
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_WORKER = re.compile(r"^(\((?:[\w.:-]+ )?pid=\d+[^)]*\)|\([\w.]+\))\s*")
_STAMP = re.compile(r"^(?:ERROR|CRITICAL) [\d-]+ [\d:.,]+ \[[^\]]*\]\s*")
_REPEATED = re.compile(r"\s*\[repeated \d+x[^\]]*\].*$")
# The last line of a traceback: a class name in front, at the line's beginning, or a command's own "error: ...".
_RAISED = re.compile(
    r"^(?:E\s+)?([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Failure|Exit|Died)|error|ERROR)(\b|\(.*?\)): ?\S"
)
_BARE = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception)$")
_WARNING = re.compile(r"\b\w*Warning\b|\bWARN(?:ING)?\b|\bINFO\b|\bDEBUG\b")
# Data files are told by their last name alone: a folder may be called after a patient.
_PATH = re.compile(
    r"""(?<=')/[^']+/(?=[^'/]+')|(?<=")/[^"]+/(?=[^"/]+")|(?<![\w.'"/])(?:/[^\s/'":,()]+)+/(?=[^\s/'":,()])"""
)
TOLD_CHARACTERS = 300

# Loaded before any fork: between fork and exec a child of a threaded process may not load anything.
try:
    _LIBC_PRCTL: Callable[..., int] | None = ctypes.CDLL(None).prctl
except (OSError, AttributeError):  # absent outside of Linux
    _LIBC_PRCTL = None


def _prctl(option: int, value: int) -> None:
    if _LIBC_PRCTL is not None:
        _LIBC_PRCTL(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def marked(run: Path) -> list[psutil.Process]:
    """All processes started for this run folder, whoever is their parent now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARKER) == str(run):
                found.append(process)
    return found


def end_all(run: Path, known: Collection[psutil.Process] = ()) -> int:
    """End every process of this run: a request first, then no more asking. Returns how many there were.

    known: processes that are of this run although they may have lost the marker.
    """
    ended: set[psutil.Process] = set()
    with _undisturbed():
        for _ in range(ROUNDS):  # a supervisor may have started another while it was itself being ended
            processes = {*known, *marked(run)} - ended
            if not processes:
                break
            for process in processes:
                with contextlib.suppress(psutil.Error):
                    process.terminate()
            _, alive = psutil.wait_procs(list(processes), timeout=GRACE_SECONDS)
            for process in alive:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(alive, timeout=GRACE_SECONDS)
            ended |= processes
    return len(ended)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not leave half of the processes behind: it counts once they are ended."""
    came: list[int] = []
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    with _handlers({number: lambda number, _: came.append(number) for number in numbers}):
        yield
    if came:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _handlers(handlers: Mapping[signal.Signals, Callable[[int, Any], None]]) -> Iterator[None]:
    """Signal handlers for a while. Only the main thread may set them; elsewhere things stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class Memory:
    """Peak of the proportional set size (shared pages counted once) over this process and all that it started."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._next = 0.0

    def sample(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + MEMORY_TICK_SECONDS
        me = psutil.Process()
        total = sum(_pss(process) for process in [me, *me.children(recursive=True)])
        self.peak_bytes = max(self.peak_bytes, total)


def _pss(process: psutil.Process) -> int:
    try:
        with open(f"/proc/{process.pid}/smaps_rollup") as file:
            return 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, ValueError):
        with contextlib.suppress(psutil.Error):
            return int(process.memory_info().rss)
        return 0


def tell(log: Path, count: int = 6, *, since: int = 0) -> list[str]:
    """The few lines of a log that say what went wrong: those that end a traceback, else the last ones.

    since: the byte where the present attempt begins; what an earlier one said is another matter.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - 200_000))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = [line for line in map(_plain, re.split(r"[\r\n]+", text)) if line and not line.startswith("$ ")]
    telling = [line for line in lines if _RAISED.match(line) or _BARE.match(line)]
    telling = [line for line in telling if not _WARNING.search(line.split(":")[0])]
    # The last of equal ones: with the order of the log, the cause of the end comes last.
    unique = list(dict.fromkeys(reversed(telling or [line for line in lines if not _WARNING.search(line)] or lines)))
    return [_brief(line) for line in reversed(unique[:count])]


def _plain(line: str) -> str:
    line = _COLOUR.sub("", line)
    line = _WORKER.sub("", "".join(c for c in line if c.isprintable() or c == "\t").strip())
    return _REPEATED.sub("", _STAMP.sub("", line)).strip()


def _brief(line: str) -> str:
    line = _PATH.sub(".../", line)
    return line if len(line) <= TOLD_CHARACTERS else line[: TOLD_CHARACTERS - 3] + "..."


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    log: Path,
    what: str,
    env: Mapping[str, str],
    progress: Callable[[], int],
    start_seconds: float,
    step_seconds: float,
    memory: Memory,
    tick: Callable[[], None],
) -> None:
    """Run one process to its end.

    progress: a number that changes with each step; without a change for `start_seconds` (before the first step) or
        `step_seconds` (after it) everything is ended.
    tick: called twice a second, for the display.

    Raises:
        RunError: it hung, or it ended with another exit code than 0. By then nothing of it runs any more.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    not_ours = set(psutil.Process().children(recursive=True))
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as out:
            out.write(f"\n$ {' '.join(argv)}\n".encode())
            out.flush()
            began = out.tell()
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others in order
                preexec_fn=_die_with_parent,
                # SPT_NOENV: Ray and vLLM rename their processes over the environment, and the marker with it.
                env={**env, MARKER: str(folder), "SPT_NOENV": "1"},
            )
        _watch(child, what, log, began, progress, start_seconds, step_seconds, memory, tick)
    finally:
        end_all(folder, set(psutil.Process().children(recursive=True)) - not_ours)


def _watch(
    child: subprocess.Popen[bytes],
    what: str,
    log: Path,
    began: int,
    progress: Callable[[], int],
    start_seconds: float,
    step_seconds: float,
    memory: Memory,
    tick: Callable[[], None],
) -> None:
    first = seen = progress()
    since = time.monotonic()
    while (code := child.poll()) is None:
        time.sleep(TICK_SECONDS)
        memory.sample()
        tick()
        now = progress()
        if now != seen:
            seen, since = now, time.monotonic()
        limit = start_seconds if seen == first else step_seconds
        if time.monotonic() - since > limit:
            raise RunError(
                f"{what} made no progress for {limit:.0f} s and was ended: a worker has died or hangs. "
                "Run the same command again to go on",
                log=str(log),
                lines=tell(log, since=began),
            )
    tick()
    if code != 0:
        how = f"was killed by {_signal(-code)}" if code < 0 else f"ended with exit code {code}"
        raise RunError(
            f"{what} {how}. Run the same command again to go on",
            log=str(log),
            lines=tell(log, since=began),
        )


def _signal(number: int) -> str:
    if number == signal.SIGKILL:
        return "SIGKILL (by somebody, or by the system for want of memory)"
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: in order, with everything it started."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with _handlers({signal.SIGTERM: interrupt, signal.SIGHUP: interrupt}):
        yield

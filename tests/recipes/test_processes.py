"""A stage's process and all that it starts: watched, told about, and gone afterwards. The children here are fakes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from medrft.recipes import processes
from medrft.recipes.errors import RunError
from medrft.recipes.processes import MARKER, Memory, end_all, marked, tell

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and prctl")


def child(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


@pytest.fixture
def folder(tmp_path: Path):
    yield tmp_path / "a run"
    end_all(tmp_path / "a run")


def start(folder: Path, code: str, **more) -> None:
    log = folder / "stage" / "log.txt"
    options = {
        "folder": folder,
        "log": log,
        "what": "stage 'rft'",
        "env": dict(os.environ),
        "progress": lambda: 0,
        "start_seconds": 60,
        "step_seconds": 60,
        "memory": Memory(),
        "tick": lambda: None,
    }
    processes.run(child(code), **{**options, **more})


# Starts a grandchild as Ray and vLLM do: two forks, a session of its own, another name over argv and environment.
DAEMON = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            try:
                import setproctitle
                setproctitle.setproctitle("ray::IDLE")
            except ImportError:
                pass
            open(f"{os.getpid()}.pid", "w").close()
            time.sleep(600)
        os._exit(0)
    os.wait()
    while not [f for f in os.listdir(".") if f.endswith(".pid")]:
        time.sleep(0.02)
"""
STUBBORN = """
    import signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open("ready", "w").close()
    time.sleep(600)
"""


@contextlib.contextmanager
def sleeper(env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=env) as process:
        try:
            yield process
        finally:
            process.kill()


def daemons(folder: Path) -> list[int]:
    return [int(file.stem) for file in folder.rglob("*.pid")]


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def wait_for(what, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_success_leaves_a_log_and_no_process(folder):
    ticks = []
    start(folder, "print('hello')", tick=lambda: ticks.append(1))
    assert "hello" in (folder / "stage" / "log.txt").read_text()
    assert ticks
    assert not marked(folder)


def test_failure_names_exit_code_lines_and_log(folder):
    code = """
        import warnings
        warnings.warn("gone: ModuleNotFoundError('flash_attn')")
        raise ValueError("the batch is empty")
    """
    with pytest.raises(RunError, match=r"^stage 'rft' ended with exit code 1\. Run the same command again") as caught:
        start(folder, code)
    assert caught.value.lines == ["ValueError: the batch is empty"]
    assert caught.value.log == str(folder / "stage" / "log.txt")


def test_lines_are_of_this_attempt(folder):
    with pytest.raises(RunError):
        start(folder, "raise ValueError('yesterday')")
    with pytest.raises(RunError) as caught:
        start(folder, "raise SystemExit('row 3 is too long')")
    assert caught.value.lines == ["row 3 is too long"]
    assert "yesterday" in (folder / "stage" / "log.txt").read_text(), "the log keeps all attempts"


@pytest.mark.parametrize(("number", "name"), [(signal.SIGKILL, "SIGKILL .*memory"), (40, "signal 40"), (15, "SIGTERM")])
def test_a_killed_child_is_named(folder, number, name):
    with pytest.raises(RunError, match=f"was killed by {name}"):
        start(folder, f"import os; os.kill(os.getpid(), {int(number)})")


def test_a_hung_child_is_ended_in_time(folder):
    begun = time.monotonic()
    with pytest.raises(RunError, match=r"made no progress for 1 s .* was ended"):
        start(folder, "import time; time.sleep(600)", start_seconds=1)
    assert time.monotonic() - begun < 8
    assert not marked(folder)


def test_the_limit_of_a_step_counts_from_the_last_step(folder):
    """Progress holds the watchdog off, and its end lets it loose, with the step's limit and not the start's."""
    begun = time.monotonic()
    with pytest.raises(RunError, match="no progress for 1 s"):
        start(
            folder,
            "import time; time.sleep(600)",
            start_seconds=60,
            step_seconds=1,
            progress=lambda: int(min(time.monotonic() - begun, 2.5) * 2),
        )
    assert 3 < time.monotonic() - begun < 12


@pytest.mark.parametrize("end", ["", "raise ValueError('x')"])
def test_daemons_are_gone_afterwards(folder, end):
    try:
        start(folder, textwrap.dedent(DAEMON) + end)
    except RunError:
        assert end
    (pid,) = daemons(folder)
    assert gone(pid)


def test_a_daemon_without_the_marker_is_gone_too(folder):
    """It lost the marker, but was never anybody else's child."""
    start(folder, f"import os; os.environ.pop('{MARKER}'); os.execv({sys.executable!r}, {child(DAEMON)!r})")
    (pid,) = daemons(folder)
    assert gone(pid)


def test_the_stubborn_are_killed(folder, monkeypatch):
    monkeypatch.setattr(processes, "GRACE_SECONDS", 1.0)
    with pytest.raises(RunError, match="no progress"):
        start(folder, STUBBORN, start_seconds=3)
    assert (folder / "stage" / "ready").exists()
    assert not marked(folder)


def test_other_children_of_the_caller_live_on(folder):
    """A notebook or a test runner has children of its own."""
    with sleeper() as mine:
        start(folder, "pass")
        end_all(folder)
        assert mine.poll() is None


def test_two_runs_do_not_end_each_other(folder, tmp_path):
    with sleeper({**os.environ, MARKER: str(tmp_path / "another")}) as other:
        wait_for(lambda: marked(tmp_path / "another"))
        assert end_all(folder) == 0
        assert other.poll() is None
        assert end_all(tmp_path / "another") == 1


DRIVER = """
    import os, sys, time
    from pathlib import Path
    from medrft.recipes import processes
    folder, code, processes.GRACE_SECONDS = Path(sys.argv[1]), sys.argv[2], 2.0
    try:
        with processes.signals_as_interrupts():
            processes.run([sys.executable, "-c", code], folder=folder, log=folder / "stage" / "log.txt", what="stage",
                env=dict(os.environ), progress=lambda: 0, start_seconds=60, step_seconds=60,
                memory=processes.Memory(), tick=lambda: None)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def drive(folder: Path, code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*child(DRIVER), str(folder), textwrap.dedent(code)], start_new_session=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(folder, number):
    driver = drive(folder, textwrap.dedent(DAEMON) + "\ntime.sleep(600)")
    wait_for(lambda: daemons(folder))
    (pid,) = daemons(folder)
    driver.send_signal(number)
    assert driver.wait(20) == 130
    assert gone(pid)
    assert not marked(folder)


def test_ctrl_c_twice_ends_everything_all_the_same(folder):
    driver = drive(folder, STUBBORN)
    wait_for(lambda: (folder / "stage" / "ready").exists())
    for _ in range(4):
        driver.send_signal(signal.SIGINT)
        time.sleep(0.4)
    assert driver.wait(30) == 130
    assert not marked(folder)


def test_kill_9_of_the_launcher(folder):
    """The stage's own process is told; what ignores that is found by its marker at the next start."""
    driver = drive(folder, textwrap.dedent(DAEMON) + "\ntime.sleep(600)")
    wait_for(lambda: daemons(folder))
    (pid,) = daemons(folder)
    parent = [p.pid for p in marked(folder) if p.pid not in (pid, driver.pid)]
    driver.kill()
    driver.wait()
    wait_for(lambda: all(map(gone, parent)))
    assert not gone(pid), "the daemon outlives it"
    assert end_all(folder) == 1
    assert gone(pid)


def test_memory_counts_what_the_child_takes(folder, monkeypatch):
    monkeypatch.setattr(processes, "MEMORY_TICK_SECONDS", 0.1)
    small, large = Memory(), Memory()
    start(folder, "import time; time.sleep(0.7)", memory=small)
    start(folder, "import time; x = bytearray(200 * 2**20); time.sleep(0.7)", memory=large)
    assert 150 * 2**20 < large.peak_bytes - small.peak_bytes < 260 * 2**20


RAY = "\x1b[36m(TaskRunnerV1 pid=1)\x1b[0m "


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (
            f'{RAY}Traceback (most recent call last):\n{RAY}  File "/x/a.py", line 3, in f\n'
            f"{RAY}    raise ValueError('no')\n{RAY}ValueError: data size must be divisible\n",
            ["ValueError: data size must be divisible"],
        ),
        (
            'a.py:3: UserWarning: cannot load: ModuleNotFoundError("flash_attn")\n  warnings.warn("ImportError: x")\n'
            "RuntimeError: weights did not arrive\nray: shutting down\n",
            ["RuntimeError: weights did not arrive"],
        ),
        ("a\nUserWarning: ModuleNotFoundError('x')\nKilled\n", ["a", "Killed"]),
        (
            "(EngineCore_0 pid=4) ERROR 08-01 10:00:00 [core.py:3] RuntimeError: boom\n" + RAY + "RuntimeError: boom "
            "[repeated 3x across cluster]\n",
            ["RuntimeError: boom"],
        ),
        (
            "KeyError: 'first'\n\nDuring handling of the above exception, another exception occurred:\n\n"
            "ray.exceptions.RayTaskError(KeyError): \x1b[36mray::TaskRunner.run()\x1b[39m (pid=9)\n",
            ["KeyError: 'first'", "ray.exceptions.RayTaskError(KeyError): ray::TaskRunner.run() (pid=9)"],
        ),
        ("x\r" * 50 + "AssertionError\n", ["AssertionError"]),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '/data/Jane Doe/b.safetensors'\n",
            ["FileNotFoundError: [Errno 2] No such file or directory: '.../b.safetensors'"],
        ),
        ("OSError: cannot read /data/jane/b.png\n", ["OSError: cannot read .../b.png"]),
        ("", []),
    ],
)
def test_tell(tmp_path, log, told):
    (tmp_path / "log").write_text(log)
    assert tell(tmp_path / "log") == told


def test_tell_stays_short_and_printable(tmp_path):
    huge = "ValueError: \x07\x1b[31m" + "x" * 300_000
    (tmp_path / "log").write_text("\n".join(f"ValueError: number {n}" for n in range(50)) + f"\n{huge}\n")
    lines = tell(tmp_path / "log")
    assert len(lines) <= 6
    assert all(len(line) <= 300 and line.isprintable() for line in lines)
    (tmp_path / "bytes").write_bytes(bytes(range(256)) * 10)
    assert all(line.isprintable() for line in tell(tmp_path / "bytes"))
    assert tell(tmp_path / "absent") == []

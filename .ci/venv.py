"""`python .ci/venv.py EXTRAS`: make .venv hold the project with these extras, once.

Cheap the second time: a stamp in .venv says which pyproject.toml and constraints.txt it was made from. Two at once wait
for each other. Only the standard library, and syntax that an old Python still reads, so that it can say it is too old.
"""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BUILD = ROOT / "build"
HALF = VENV / ".installing"  # there while pip works: a killed installation is made anew
HEARTBEAT_SECONDS = 20
PROBE_SECONDS = 3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("extras")
    parser.add_argument("--torch-index", default="")
    options = parser.parse_args()
    _check_python()
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another installation into .venv is under way; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_ready(options.extras):
            _install(options.extras, options.torch_index)


def _check_python():
    version = ".".join(map(str, sys.version_info[:2]))
    if not (3, 11) <= sys.version_info[:2] < (3, 13):
        _fail(
            f"medrft needs Python 3.11 or 3.12, and {sys.executable} is {version}. "
            "Install one of them, or name it: make test PYTHON=/path/to/python3.11"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        _fail(
            f"{sys.executable} cannot make virtual environments. "
            f"Install its venv module (Debian, Ubuntu: apt install python{version}-venv)"
        )


def _place():
    """The scripts in .venv name both."""
    return f"{ROOT} {sys.version_info[:2]}"


def _key():
    """What an installation depends on."""
    digest = hashlib.sha256()
    for part in (ROOT / "pyproject.toml", ROOT / "constraints.txt"):
        digest.update(part.read_bytes())
    digest.update(_place().encode())
    return digest.hexdigest()


def _stamp(extras):
    return VENV / (".installed-" + extras)


def _is_ready(extras):
    """These extras, or more than these, are installed."""
    wanted = set(extras.split(","))
    for stamp in VENV.glob(".installed-*"):
        has = set(stamp.name[len(".installed-") :].split(","))
        if wanted <= has and stamp.read_text() == _key() and not HALF.exists():
            return True
    return False


def _install(extras, torch_index):
    where = VENV / ".where"
    if HALF.exists() or not where.exists() or where.read_text() != _place():
        print(f"making .venv with {sys.executable}", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        if made.returncode:
            _fail("the virtual environment .venv could not be made; the lines above say why")
        where.write_text(_place())
    HALF.touch()
    constraints = ROOT / "constraints.txt"
    more = []
    if _answers(torch_index):
        # CPU builds carry the local version +cpu; asking for it keeps the far larger CUDA build out.
        pins = constraints.read_text().splitlines()
        constraints = BUILD / "constraints-cpu.txt"
        constraints.write_text("".join(p + ("+cpu\n" if p.startswith("torch==") else "\n") for p in pins))
        more = ["--extra-index-url", torch_index]
    argv = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "-c", str(constraints)]
    _pip([*argv, *more, "-e", f"{ROOT}[{extras}]"])
    _stamp(extras).write_text(_key())
    HALF.unlink()


def _answers(index):
    """The index can be reached from here. Not everywhere: then plain pip has to do."""
    if not index or not sys.platform.startswith("linux"):
        return False
    # A process of its own: name resolution knows no timeout.
    code = f"import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout={PROBE_SECONDS})"
    probe = [sys.executable, "-c", code, index.rstrip("/") + "/torch/"]
    try:
        return subprocess.run(probe, timeout=PROBE_SECONDS + 1, stderr=subprocess.DEVNULL).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _pip(argv):
    """Runs pip with its many lines in a log, and a line now and then to show that it lives."""
    log = BUILD / "install.log"
    print(f"installing the pinned packages into .venv: some minutes, about 5 GB (log: {log})", flush=True)
    begun = told = time.monotonic()
    with log.open("w") as out:
        child = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, cwd=str(ROOT))
        try:
            while child.poll() is None:
                time.sleep(0.5)
                if time.monotonic() - told > HEARTBEAT_SECONDS:
                    told = time.monotonic()
                    print(f"  {told - begun:3.0f} s  {(_lines(log) or [''])[-1][:90]}", flush=True)
        except KeyboardInterrupt:
            child.wait()
            _fail("interrupted; the same command starts the installation again")
    if child.returncode:
        HALF.unlink()  # pip ended by itself, so nothing is half-written
        last = "\n  ".join(_lines(log)[-8:])
        _fail(f"pip could not install the pinned packages. Its last lines:\n  {last}\nlog: {log}")
    print(f"installed in {time.monotonic() - begun:.0f} s", flush=True)


def _lines(log):
    return [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]


def _fail(sentence):
    print("error: " + sentence, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    os.chdir(str(ROOT))
    main()

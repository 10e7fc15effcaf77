"""The house: what is shipped, who may import whom, and what every file owes the reader."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("rewards", "envs", "recipes", "mae_pretrain")
# Which folders' faces a folder may import.
ALLOWED: dict[str, set[str]] = {
    "rewards": set(),
    "envs": {"rewards"},
    "mae_pretrain": set(),
    "recipes": {"rewards", "envs", "mae_pretrain"},
}
HEAVY = ("torch", "transformers", "verl", "vllm", "ray", "hydra")
MAX_LINES = 400
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)")


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every import of a file, those inside functions too; relative ones with their dots."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            base = node.module or ""
            if base == "medrft" and not node.level:
                yield from ((node.lineno, f"medrft.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, dots + base


def tracked() -> list[Path]:
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without network from a copy, so that the build leaves nothing in the tree."""
    source = tmp_path_factory.mktemp("source") / "medrft"
    source.mkdir()
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "tests/test_house.py"):
        (source / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("wheel")
    argv = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", str(out), str(source)]
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob("medrft-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, installed into a folder of its own."""
    target = tmp_path_factory.mktemp("installed")
    argv = ["-m", "pip", "install", "--no-deps", "--no-index", "-q", "--target", str(target), str(wheel)]
    done = subprocess.run([sys.executable, *argv], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def python(code: str, path: Path | None = None) -> str:
    env = {"PYTHONPATH": str(path)} if path else {}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, env=env, cwd=path or ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_pyproject_lists_every_package_of_the_tree() -> None:
    found = {
        "medrft." + ".".join(file.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("__init__.py")
    }
    assert set(SETUPTOOLS["packages"]) == found
    assert SETUPTOOLS["package-dir"] == {f"medrft.{folder}": folder for folder in FOLDERS}


def test_the_wheel_holds_medrft_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"medrft", f"{wheel.name.split('-py3')[0]}.dist-info"}
    shipped = {name.removeprefix("medrft/") for name in names if name.startswith("medrft/")}
    here = {
        str(file.relative_to(ROOT))
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert shipped == here


def test_every_folder_says_that_it_is_typed() -> None:
    assert [folder for folder in ("rewards", "envs", "recipes") if not (ROOT / folder / "py.typed").exists()] == []


def test_an_installed_wheel_reads_its_recipes_and_configuration(installed: Path) -> None:
    code = """
import json
import medrft.recipes.load as load
from importlib.resources import files
names = {name: load.load(name).name for name in load.available()}
configs = sorted(f.name for f in files("medrft.recipes.config").iterdir() if f.name.endswith(".yaml"))
loop = (load.HERE / "agent_loop.yaml").exists()
print(json.dumps([load.__file__, names, configs, loop]))
"""
    where, names, configs, loop = json.loads(python(code, installed))
    assert Path(where).is_relative_to(installed)
    assert names == {file.stem: file.stem for file in (ROOT / "recipes").glob("*.yaml") if file.stem != "agent_loop"}
    assert configs == sorted(file.name for file in (ROOT / "recipes" / "config").glob("*.yaml"))
    assert loop


def test_an_installed_wheel_brings_the_command_and_the_plugins(installed: Path) -> None:
    text = next(installed.glob("medrft-*.dist-info/entry_points.txt")).read_text()
    assert "medrft = medrft.recipes.cli:main" in text
    for group, points in PROJECT["project"]["entry-points"].items():
        assert f"[{group}]" in text
        for target in points.values():
            module, _, function = target.partition(":")
            file = ROOT.joinpath(*module.removeprefix("medrft.").split(".")).with_suffix(".py")
            assert file.exists()
            assert not function or f"def {function}(" in file.read_text()


@pytest.mark.parametrize("folder", FOLDERS)
def test_imports_run_one_way_and_through_faces(folder: str) -> None:
    faults = []
    for file in modules(folder):
        for line, name in imports(file):
            here = f"{file.relative_to(ROOT)}:{line}: {name}"
            if name.split(".")[0] in FOLDERS:
                faults.append(f"{here}: write medrft.{name}")
            if not name.startswith("medrft."):
                continue
            other, _, inner = name.removeprefix("medrft.").partition(".")
            if other == folder:
                faults.append(f"{here}: inside a folder imports are relative")
            elif other not in ALLOWED[folder]:
                faults.append(f"{here}: {folder} may not know {other}")
            elif inner:
                faults.append(f"{here}: only the face, from medrft.{other} import ...")
    assert faults == []


def test_relative_imports_stay_inside_their_folder() -> None:
    faults = []
    for folder in FOLDERS:
        for file in modules(folder):
            depth = len(file.relative_to(ROOT).parts) - 1
            faults += [f"{file}:{line}" for line, name in imports(file) if len(name) - len(name.lstrip(".")) > depth]
    assert faults == []


@pytest.mark.parametrize("module", ["medrft.rewards", "medrft.envs", "medrft.recipes.cli", "medrft.mae_pretrain"])
def test_importing_brings_no_trainer(module: str) -> None:
    loaded = python(f"import sys, {module}; print(*[name for name in {HEAVY} if name in sys.modules])")
    assert loaded.split() == []


def test_help_needs_no_trainer() -> None:
    code = (
        f"HEAVY = {HEAVY}\n"
        + """
import sys
from medrft.recipes.cli import main
sys.argv = ["medrft", "--help"]
try:
    main()
except SystemExit as leave:
    assert not leave.code
print(*[name for name in HEAVY if name in sys.modules])
"""
    )
    out = python(code).splitlines()
    assert out[-1] == ""
    assert all(any(command in line for line in out) for command in ("train", "eval", "list", "doctor"))


def test_extras_and_constraints_agree() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    constraints = {m[1].lower(): m[2] for line in lines if (m := PIN.match(line))}
    extras = PROJECT["project"]["optional-dependencies"]
    pinned = {m[1].lower(): m[2] for extra in ("cpu", "dev") for item in extras[extra] if (m := PIN.match(item))}
    assert {name: constraints.get(name) for name in pinned} == pinned
    names = [re.split(r"[\[<>=!; ]", item)[0].lower() for item in extras["dev"] + PROJECT["project"]["dependencies"]]
    assert [name for name in names if name not in constraints] == []


def test_constraints_are_exact_and_name_no_place() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [
        line for line in lines if not line.startswith("#") and not re.fullmatch(r"[A-Za-z0-9_.-]+==[^\s+]+", line)
    ] == []


@pytest.mark.parametrize("face", ["medrft.rewards", "medrft.envs"])
def test_everything_public_says_what_it_is(face: str) -> None:
    module = importlib.import_module(face)
    things = {name: getattr(module, name) for name in module.__all__}
    documented = {name: thing for name, thing in things.items() if inspect.isfunction(thing) or inspect.isclass(thing)}
    # A class's own: pydantic and dataclasses would lend it theirs.
    silent = [name for name, thing in documented.items() if not thing.__dict__.get("__doc__", thing.__doc__)]
    assert len(documented) > 10
    assert silent == []


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(file.relative_to(ROOT))
        for folder in FOLDERS
        for file in modules(folder)
        if file.read_text().strip() and not ast.get_docstring(ast.parse(file.read_text()))
    ]
    assert silent == []


def test_files_stay_small() -> None:
    long = {
        str(file.relative_to(ROOT)): count
        for file in tracked()
        if file.suffix == ".py" and (count := len(file.read_text().splitlines())) > MAX_LINES
    }
    assert long == {}


def test_nothing_names_a_registry_host_or_a_machines_path() -> None:
    hosts = (
        "py" + "pi.org",
        "python" + "hosted.org",
        "hugging" + "face.co",
        "ghcr" + ".io",
        "nvcr" + ".io",
        "hf" + "-mirror",
    )
    place = re.compile(r"(?<![\w./{}])/(?:work|root|home|Users)/|/tmp/[a-z]/")
    faults = []
    for file in tracked():
        if file.name == "LICENSE":
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        faults += [f"{file.relative_to(ROOT)}: {host}" for host in hosts if host in text]
        if file != Path(__file__):
            faults += [f"{file.relative_to(ROOT)}: {match[0]}" for match in place.finditer(text)]
    assert faults == []

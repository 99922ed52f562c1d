"""Imports run one way: no room of the package needs one that is built on it."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "mmbnft"
# Each may import itself and what stands in an earlier line.
LAYERS = (
    "utils compat",
    "host protocols zoo artifacts",
    "results",
    "result_files",
    "models tasks recipes",
    "ranking",
    "hooks pretraining",
    "evaluation plugin",
    "fewshot analysis",
    "grid",
    "select",
    "commands",
)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
# Rooms of one line that need each other in this order.
WITHIN = {("host", "compat"), ("zoo", "compat"), ("compat", "utils"), ("evaluation", "hooks")}
# A published recipe asks whether a name is that of a score, and scores are at home in evaluation.
EXCEPT = {"recipes/vpulab.py: mmbnft.evaluation.proxies"}


def rooms():
    """The rooms of the package, as folders and single modules."""
    found = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return found - {"__init__", "__main__"}


def imported(room):
    """What a room imports of the others, wherever in its files."""
    files = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").is_file() else (PACKAGE / room).rglob("*.py")
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module == "mmbnft":
                names += [f"mmbnft.{alias.name}" for alias in node.names]
            for name in names:
                parts = name.split(".")
                if parts[0] == "mmbnft" and len(parts) > 1 and parts[1] != room and parts[1] in LEVELS:
                    yield parts[1], f"{file.relative_to(PACKAGE)}: {name}"


def test_every_room_has_its_place():
    assert rooms() == set(LEVELS)


@pytest.mark.parametrize("room", LEVELS)
def test_imports_run_one_way(room):
    wrong = {
        where for other, where in imported(room)
        if LEVELS[other] >= LEVELS[room] and (room, other) not in WITHIN
    }  # fmt: skip
    assert wrong - EXCEPT == set()

"""The reference of commands is what the commands say today."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def maker():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs/make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says():
    written = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs/reference").glob("*.md")}
    assert written == maker().pages(), "run: python docs/make_reference.py"


def test_sub_commands_and_groups_are_in_it():
    pages = maker().pages()
    assert "- `verify`: " in pages["checkpoints.md"]
    assert "**which runs**" in pages["benchmark.md"]
    assert all(len(text.splitlines()) <= 150 for text in pages.values())

"""The same as `mmbnft select`."""

import sys

if __name__ == "__main__":
    from mmbnft.commands import run

    sys.exit(run("select"))

if __name__ == "select":
    # Python puts the folder of a script first on its path, so every tool beside this file finds it where the standard
    # library's module of the same name is meant: hand that one on.
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec
    from pathlib import Path

    here = Path(__file__).resolve().parent
    spec = PathFinder.find_spec("select", [path for path in sys.path if Path(path).resolve() != here])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["select"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["select"])

"""The command line: mmbnft COMMAND [ARGUMENTS], or python -m mmbnft COMMAND [ARGUMENTS].

With a script of the host stack in the place of COMMAND, the script runs with mmbnft.plugin imported first. That is
needed where torchvision's compiled library does not fit torch (see `mmbnft.compat`): there the host's own scripts fail
at their imports, before a configuration's `custom_imports` could help.
"""

import difflib
import importlib
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from mmbnft import __version__
from mmbnft.commands import run, summaries
from mmbnft.utils.command import run_command
from mmbnft.utils.errors import UserError
from mmbnft.utils.shipped import SHIPPED

USAGE = "usage: mmbnft COMMAND [ARGUMENTS]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, or the script, that is named first."""
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in summaries():
        sys.argv = [f"mmbnft {name}", *arguments]  # argparse and others take the name of the program from here
        return run(name, arguments)
    return run_command(lambda: _run_other(name, arguments))


def _run_other(name: str, arguments: list[str]) -> int:
    if name in ("-h", "--help"):
        print(_help())
    elif name == "--version":
        print(f"mmbnft {__version__}")
    elif name.endswith(".py"):
        _run_script(Path(name), arguments)
    else:
        near = difflib.get_close_matches(name, summaries(), 1)
        meant = f"did you mean {near[0]!r}" if near else f"the commands are {', '.join(summaries())}"
        raise UserError(f"there is no command {name!r}; {meant}")
    return 0


def _help() -> str:
    lines = [f"  {name:14}{summary}" for name, summary in summaries().items()]
    return "\n".join(
        [
            USAGE,
            "",
            *lines,
            "",
            "mmbnft COMMAND --help shows the options of a command.",
            f"What comes with it (configs, pretrained_models, data/published) is in {SHIPPED}.",
        ]
    )


def _run_script(script: Path, arguments: list[str]) -> None:
    if not script.is_file():
        raise UserError(f"there is no script {script}; {USAGE}, or mmbnft SCRIPT.py [ARGUMENTS]")
    importlib.import_module("mmbnft.plugin")
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.resolve().parent))
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    sys.exit(main())

"""Run a script of the host stack with mmbnft.plugin imported first: python -m mmbnft SCRIPT [ARGUMENTS].

Needed where torchvision's compiled library does not fit torch (see `mmbnft.compat`): there the host's own scripts fail
at their imports, before a configuration's `custom_imports` could help.
"""

import importlib
import runpy
import sys
from pathlib import Path

from mmbnft.utils.command import run_command
from mmbnft.utils.errors import UserError


def main() -> int:
    """Run the script named first, with the arguments after it."""
    if len(sys.argv) < 2:
        raise UserError("no script given; usage: python -m mmbnft SCRIPT [ARGUMENTS]")
    script = Path(sys.argv[1])
    if not script.is_file():
        raise UserError(f"there is no script {script}; usage: python -m mmbnft SCRIPT [ARGUMENTS]")
    importlib.import_module("mmbnft.plugin")
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(script.resolve().parent))
    runpy.run_path(str(script), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))

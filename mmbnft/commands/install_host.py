"""Install mmcv, mmcls and mmselfsup in the versions that mmbnft was tested with.

mmcv 1.7.2 is only available as source. Its setup imports pkg_resources, which setuptools dropped in version 81, and
fails on Python 3.13; this command builds it with the setuptools and the Python that it expects. It uses this
environment's pip.

Example: mmbnft install-host
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence

from mmbnft.commands._options import command_parser
from mmbnft.utils.errors import UserError
from mmbnft.utils.shipped import SHIPPED


def main(argv: Sequence[str] | None = None) -> int:
    """Install them; the status is that of pip."""
    parser = command_parser(__doc__)
    parser.parse_args(argv)
    if importlib.util.find_spec("pip") is None:
        raise UserError(f"{sys.executable} has no pip; install pip into its environment, then run this again")
    requirements = SHIPPED / "requirements"
    path = os.pathsep.join(filter(None, (str(requirements / "mmcv_build"), os.environ.get("PYTHONPATH"))))
    install = [sys.executable, "-m", "pip", "install", "-r"]
    status = subprocess.call([*install, str(requirements / "build.txt")])
    if status == 0:
        command = [*install, str(requirements / "host.txt"), "--no-build-isolation"]
        status = subprocess.call(command, env=os.environ | {"PYTHONPATH": path})
    return status

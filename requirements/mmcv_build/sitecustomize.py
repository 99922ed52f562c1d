"""Lets mmcv 1.7.2 be built from its unmodified source on Python 3.13: this folder is on PYTHONPATH for the build.

Its setup.py runs `exec(code)` in a function and looks for what that defined in `locals()`. Since Python 3.13 a plain
`exec` fills a copy of a function's locals that nobody sees again (PEP 667); here it fills those of the frame.
"""

import builtins
import sys
from typing import Any

_exec = builtins.exec


def exec_in_frame(code: Any, *scopes: Any, **options: Any) -> None:
    """As `exec`, but without scopes it defines names in the function that calls it."""
    frame = sys._getframe(1)
    _exec(code, *(scopes or (frame.f_globals, frame.f_locals)), **options)


if sys.version_info >= (3, 13):
    builtins.exec = exec_in_frame

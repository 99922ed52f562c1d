"""What every command shares: one-sentence errors, clean interruption, quick memory."""

import sys
from collections.abc import Callable

from mmbnft.utils.errors import UserError
from mmbnft.utils.files import is_full
from mmbnft.utils.memory import keep_freed_memory


def run_command(main: Callable[[], int]) -> int:
    """Call `main` and return its exit status; 2 for a user's mistake or a full disk, 130 for Ctrl-C."""
    keep_freed_memory()
    try:
        return main()
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except OSError as error:
        if not is_full(error):
            raise
        sys.stderr.write(f"error: the disk is full ({error}); make room, the same command continues\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: what was finished is kept; the same command continues\n")
        return 130

"""What every command shares: one-sentence errors, clean interruption, quick memory."""

import datetime
import io
import os
import select
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from mmbnft.utils.errors import UserError
from mmbnft.utils.files import is_full
from mmbnft.utils.memory import keep_freed_memory


def run_command(main: Callable[[], int]) -> int:
    """Call `main` and return its exit status; 2 for a user's mistake or a full disk, 130 for Ctrl-C."""
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="replace")  # a name that a Latin-1 terminal lacks must not end a command
    try:
        status = main()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        if not _output_is_closed():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what the interpreter still writes at its end
        return 0
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except OSError as error:
        if not is_full(error):
            raise
        sys.stderr.write(f"error: the disk is full ({error}); make room and run the same command again\n")
        return 2
    except ModuleNotFoundError as error:
        if (error.name or "mmbnft").startswith("mmbnft"):
            raise
        sys.stderr.write(f"error: the package {error.name} is not installed; run: pip install mmbnft\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: finished work is kept; run the same command to continue\n")
        return 130


def _output_is_closed() -> bool:
    """Whether nobody reads standard output any more, as after `| head`."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def say(sentence: str) -> None:
    """Print a sentence, wrapped between words where standard output is a terminal."""
    if sys.stdout.isatty():
        sentence = textwrap.fill(sentence, shutil.get_terminal_size().columns, break_long_words=False)
    sys.stdout.write(f"{sentence}\n")


def this_command() -> dict[str, str]:
    """How and when this process was started, for a person who wants to do it again."""
    words = [Path(sys.argv[0]).name if Path(sys.argv[0]).is_absolute() else sys.argv[0], *sys.argv[1:]]
    command = " ".join(word if " " not in word else shlex.quote(word) for word in words)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return {"command": f"python {command}" if words[0].endswith(".py") else command, "when": now}

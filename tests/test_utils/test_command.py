import errno
import os
import subprocess
import sys

import pytest

from mmbnft.utils.command import run_command
from mmbnft.utils.errors import UserError


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (UserError("no such task"), 2, "error: no such task\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/x.json"),
            2,
            "error: the disk is full ([Errno 28] No space left on device: 'out/x.json'); make room and run the same "
            "command again\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted: finished work is kept; run the same command to continue\n"),
    ],
)
def test_what_can_go_wrong_is_one_sentence_and_a_status(error, status, sentence, capsys):
    assert run_command(raising(error)) == status
    assert capsys.readouterr().err == sentence


def test_other_errors_are_not_hidden():
    with pytest.raises(OSError, match="odd"):
        run_command(raising(OSError(errno.EIO, "odd")))
    assert run_command(lambda: 7) == 7


def shell(code, command, **environment):
    script = f"from mmbnft.utils.command import run_command; import sys; sys.exit(run_command({code}))"
    words = f'set -o pipefail; "{sys.executable}" -c "$CODE" {command}'
    return subprocess.run(
        ["bash", "-c", words],
        env=os.environ | {"CODE": script} | environment,
        capture_output=True,
        text=False,
        check=False,
    )


@pytest.mark.parametrize("lines", [3, 100_000])
def test_a_reader_that_stops_early_is_no_error(lines):
    done = shell(f"lambda: print('x\\n' * {lines}) or 0", "| true")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_without_unicode_replaces_what_it_lacks():
    done = shell(r"lambda: print('\u03c4 \u00e9') or 0", "", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stdout) == (0, b"? \xe9\n")

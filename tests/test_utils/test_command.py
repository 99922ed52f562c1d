import errno

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
            "error: the disk is full ([Errno 28] No space left on device: 'out/x.json'); make room, the same command "
            "continues\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted: what was finished is kept; the same command continues\n"),
    ],
)
def test_what_can_go_wrong_is_one_sentence_and_a_status(error, status, sentence, capsys):
    assert run_command(raising(error)) == status
    assert capsys.readouterr().err == sentence


def test_other_errors_are_not_hidden():
    with pytest.raises(OSError, match="odd"):
        run_command(raising(OSError(errno.EIO, "odd")))
    assert run_command(lambda: 7) == 7

"""The same as `mmbnft few-shot`."""

import sys

from mmbnft.commands import run

if __name__ == "__main__":
    sys.exit(run("few-shot"))

"""The same as `mmbnft benchmark`."""

import sys

from mmbnft.commands import run

if __name__ == "__main__":
    sys.exit(run("benchmark"))

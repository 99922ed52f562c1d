"""The same as `mmbnft analyze`."""

import sys

from mmbnft.commands import run

if __name__ == "__main__":
    sys.exit(run("analyze"))

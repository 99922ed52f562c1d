"""The same as `mmbnft export`."""

import sys

from mmbnft.commands import run

if __name__ == "__main__":
    sys.exit(run("export"))

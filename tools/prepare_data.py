"""The same as `mmbnft prepare-data`."""

import sys

from mmbnft.commands import run

if __name__ == "__main__":
    sys.exit(run("prepare-data"))

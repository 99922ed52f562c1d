"""The same as `mmbnft install-host`."""

import sys

from mmbnft.commands import run

if __name__ == "__main__":
    sys.exit(run("install-host"))

"""The same as `mmbnft describe`."""

import sys

from mmbnft.commands import run

if __name__ == "__main__":
    sys.exit(run("describe"))

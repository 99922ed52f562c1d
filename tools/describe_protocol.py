"""Show what a protocol trains, layer by layer: python tools/describe_protocol.py CONFIG [--protocol NAME]."""

import argparse
import sys
from pathlib import Path

from mmbnft.utils.command import DictAction, run_command


def main() -> int:
    """Print one table for each phase."""
    parser = argparse.ArgumentParser(description="Print which layers of a configuration's backbone train.")
    parser.add_argument("config", type=Path, help="configuration file")
    parser.add_argument("--protocol", help="protocol, e.g. bn_paper")
    parser.add_argument("--cfg-options", "--cfg_options", nargs="+", action=DictAction, default={}, metavar="K=V")
    args = parser.parse_args()
    from mmbnft.evaluation.description import describe_run
    from mmbnft.evaluation.spec import load_config, spec_from_config

    config = load_config(args.config, args.cfg_options)
    if args.protocol is not None:
        config.merge_from_dict({"protocol": args.protocol})
    print(describe_run(spec_from_config(config)))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))

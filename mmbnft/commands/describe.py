"""Show what a protocol trains of a configuration's backbone, layer by layer."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmbnft.utils.overrides import DictAction


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table for each phase."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="configuration file")
    parser.add_argument("--protocol", help="protocol, e.g. bn_paper")
    parser.add_argument("--cfg-options", "--cfg_options", nargs="+", action=DictAction, default={}, metavar="K=V")
    args = parser.parse_args(argv)
    from mmbnft.evaluation.description import describe_run
    from mmbnft.evaluation.run_spec import load_config, spec_from_config

    config = load_config(args.config, args.cfg_options)
    if args.protocol is not None:
        config.merge_from_dict({"protocol": args.protocol})
    print(describe_run(spec_from_config(config)))
    return 0

"""Show what a protocol trains in a configuration's backbone, layer by layer.

Example: mmbnft describe configs/pets/resnet50.py --protocol bn_paper
"""

from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import PROTOCOLS, add_overrides, command_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table for each phase."""
    parser = command_parser(__doc__)
    parser.add_argument("config", type=Path, help="configuration file")
    parser.add_argument("--protocol", metavar="NAME", help=PROTOCOLS)
    add_overrides(parser)
    args = parser.parse_args(argv)
    from mmbnft.evaluation.description import describe_run
    from mmbnft.evaluation.run_spec import load_config, spec_from_config

    config = load_config(args.config, args.cfg_options)
    if args.protocol is not None:
        config.merge_from_dict({"protocol": args.protocol})
    print(describe_run(spec_from_config(config)))
    return 0

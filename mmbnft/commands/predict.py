"""Predict class probabilities of new images with the network of a result, as CSV.

Example: mmbnft predict work_dirs/mine/results/RESULT.json photos/ --out photos.csv
"""

from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import DEVICES, command_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, compute, write the table."""
    parser = command_parser(__doc__)
    parser.add_argument("result", type=Path, help="result file whose weights were kept")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGES", help="image files, or folders of them")
    parser.add_argument("--out", type=Path, default=Path("predictions.csv"), help="file to write")
    parser.add_argument("--checkpoint", help="current location of the checkpoint, if it was moved since the run")
    parser.add_argument("--device", default="auto", help=DEVICES)
    args = parser.parse_args(argv)
    import pandas as pd

    from mmbnft.evaluation.inference import class_probabilities, find_pictures
    from mmbnft.evaluation.training.distributed import local_device
    from mmbnft.evaluation.weights import restore
    from mmbnft.results import read_result
    from mmbnft.utils import files

    pictures, network = find_pictures(args.images), restore(read_result(args.result), args.checkpoint)
    chances = class_probabilities(network, pictures, local_device(args.device))
    table = pd.DataFrame(chances, columns=list(network.classes))
    table.insert(0, "predicted", [network.classes[number] for number in chances.argmax(axis=1)], allow_duplicates=True)
    table.insert(0, "image", [str(path) for path in pictures], allow_duplicates=True)
    files.write_text(args.out, table.to_csv(index=False, float_format="%.6g"))
    print(f"{len(pictures)} images, {len(network.classes)} classes: {args.out}")
    return 0

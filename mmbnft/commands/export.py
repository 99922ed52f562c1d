"""Export the network of a result for other software: state dict, TorchScript or ONNX, chosen by the file ending.

Example: mmbnft export work_dirs/mine/results/RESULT.json classifier.pt
"""

from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import command_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, write the file, say what its inputs are."""
    parser = command_parser(__doc__)
    parser.add_argument("result", type=Path, help="result file whose weights were kept")
    parser.add_argument("file", type=Path, help=".pth (state dict in MMSelfSup's layout), .pt (TorchScript) or .onnx")
    parser.add_argument("--checkpoint", help="current location of the checkpoint, if it was moved since the run")
    args = parser.parse_args(argv)
    from mmbnft.evaluation.inference import export
    from mmbnft.evaluation.weights import restore
    from mmbnft.results import read_result

    facts = export(restore(read_result(args.result), args.checkpoint), args.file)
    print(f"{args.file}: {len(facts['classes'])} classes; scores are {facts['scores']}")
    print("preprocessing of an RGB image: " + "; ".join(_shown(step) for step in facts["inputs"]))
    return 0


def _shown(step: dict[str, object]) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in step.items() if name != "type")
    return f"{step['type']}({settings})"

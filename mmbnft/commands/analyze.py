"""Show what adaptation changed in results, as one page: norm layers, features, learning curves, predictions.

Example: mmbnft analyze work_dirs/mine --out analysis/
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from mmbnft.commands._options import add_tracking_options, command_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line, analyse, write the page."""
    parser = command_parser(__doc__)
    parser.add_argument(
        "results", nargs="+", type=Path, metavar="RESULT", help="result files, folders of benchmarks, or archives"
    )
    parser.add_argument("--images", metavar="TASK", help="task whose test images to use (default: each result's own)")
    parser.add_argument("--no-images", action="store_true", help="analyse only weights, curves and predictions")
    parser.add_argument(
        "--most", type=int, default=1000, help="maximum number of test images, drawn at random (default: 1000)"
    )
    parser.add_argument("--checkpoint", help="current location of the checkpoint, if it was moved since the run")
    parser.add_argument("--out", type=Path, default=Path("analysis"), help="output folder (default: analysis)")
    add_tracking_options(
        parser,
        None,
        wandb="tables, figures and the page in Weights & Biases",
        tensorboard="tables and figures in OUT/tensorboard",
    )
    args = parser.parse_args(argv)
    from mmbnft.analysis.findings import analyse
    from mmbnft.analysis.report import compose, write_analysis
    from mmbnft.analysis.tracking import to_tensorboard, to_wandb
    from mmbnft.evaluation.finished_runs import attempt
    from mmbnft.grid.listing import open_results
    from mmbnft.grid.plan import task_config
    from mmbnft.hooks.wandb_hook import resolve_mode
    from mmbnft.results import read_result, with_named_controls

    mode = resolve_mode(args.wandb)
    logging.getLogger("mmcv").setLevel(logging.WARNING)
    found = [r for p in args.results for r in ([read_result(p)] if p.suffix == ".json" else open_results(p))]
    runs = analyse(
        [result for result in with_named_controls(found) if result.status == "ok" and result.scale == "percent"],
        images=not args.no_images,
        task=task_config(args.images) if args.images else None,
        most=args.most,
        checkpoint=args.checkpoint,
        progress=lambda name: print(f"analysing {name}", flush=True),
    )
    analysis = compose(runs)
    page = write_analysis(analysis, args.out)
    for sentence in (*analysis.sentences, f"page: {page}"):
        print(sentence)
    told = [attempt("W&B", lambda: to_wandb(analysis, page, mode, args.wandb_project))] if mode != "off" else []
    if args.tensorboard:
        told.append(attempt("TensorBoard", lambda: to_tensorboard(analysis, args.out / "tensorboard")))
    print(*filter(None, told), sep="\n", end="\n" if any(told) else "")
    return 0

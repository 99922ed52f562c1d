"""Inspect, export, remove and merge benchmark results.

Examples:
mmbnft results list work_dirs/mine --only task=dtd status=ok
mmbnft results serve work_dirs/mine
mmbnft results merge machine1/results machine2/results work_dirs/mine
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmbnft.commands._options import add_overrides, command_parser, sub_parser
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

if TYPE_CHECKING:
    from mmbnft.results import Result

FILTERS = ("checkpoint", "task", "protocol", "recipe", "status")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_parser(__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument("store", type=Path, help="folder of a benchmark, its results folder, or an archive of results")
    store.add_argument("--only", nargs="+", default=[], metavar="NAME=A,B", help=f"NAME: {', '.join(FILTERS)}")
    sub_parser(commands, "list", "list results, one per line", parents=[store])
    export = sub_parser(commands, "export", "export all results as one file", parents=[store])
    written = export.add_mutually_exclusive_group(required=True)
    written.add_argument("--csv", type=Path, metavar="FILE", help="table with all columns")
    written.add_argument(
        "--archive",
        type=Path,
        metavar="FILE.tar.xz",
        help="result files for rank, analyze and results, compressed; without predictions, weights and movement",
    )
    sub_parser(commands, "failures", "list failed results with their reasons", parents=[store])
    stale = sub_parser(
        commands,
        "stale",
        "list results that the plan no longer contains or an older version of the code made",
        parents=[store],
    )
    stale.add_argument("--config", type=Path, help="configuration of the benchmark or few-shot benchmark")
    add_overrides(stale)
    sub_parser(
        commands, "remove", "remove the results selected by --only, with predictions and weights", parents=[store]
    )
    serve = sub_parser(commands, "serve", "show a running grid in a browser on this machine; read-only")
    serve.add_argument("store", type=Path, help="folder of a benchmark, or its results folder")
    serve.add_argument("--port", type=int, default=8600, help="port on 127.0.0.1")
    merge = sub_parser(commands, "merge", "merge results of several folders into one")
    merge.add_argument(
        "sources", nargs="+", type=Path, metavar="STORE", help="folders of benchmarks or of results, or archives"
    )
    merge.add_argument("into", type=Path, metavar="INTO", help="folder of a benchmark; created if needed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command says; status 1 if `failures` or `stale` found something."""
    args = parse_args(argv)
    from mmbnft.grid.filters import Selection
    from mmbnft.grid.listing import format_results, open_results
    from mmbnft.grid.merging import merge_stores

    if args.command == "serve":
        return _serve(args.store, args.port)
    if args.command == "merge":
        merged = merge_stores(args.sources, args.into)
        for note in merged.notes:
            print(note)
        print(f"{merged.added} results added, {merged.replaced} replaced failed ones, {merged.kept} already there")
        return 0
    results = Selection.parse(args.only, FILTERS).of(open_results(args.store))
    if args.command == "list":
        print(format_results(results))
        return 0
    if args.command == "remove":
        return _remove(args, results)
    if args.command == "export":
        return _export(args, results)
    return _doubtful(args, results)


def _serve(store: Path, port: int) -> int:
    from mmbnft.grid.serving import GridServer

    with GridServer(store, port) as server:
        print(f"{server.address} shows {server.folder}; Ctrl-C stops it", flush=True)
        server.serve_forever()
    return 0


def _export(args: argparse.Namespace, results: "list[Result]") -> int:
    from mmbnft.grid.listing import whole_table
    from mmbnft.result_files import write_archive

    if args.archive:
        write_archive(args.archive, results)
    else:
        files.write_text(args.csv, whole_table(results).to_csv(index=False))
    print(f"{len(results)} results written to {args.archive or args.csv}")
    return 0


def _remove(args: argparse.Namespace, results: "list[Result]") -> int:
    from mmbnft.grid.store import ResultStore
    from mmbnft.result_files import results_folder

    if not args.only:
        raise UserError("remove needs --only, e.g. --only status=failed; delete the folder to remove every result")
    store = ResultStore(results_folder(args.store))
    for result in results:
        store.remove(result)
    print(f"{len(results)} results removed")
    return 0


def _doubtful(args: argparse.Namespace, results: "list[Result]") -> int:
    from mmbnft.grid.listing import stale_reasons

    if args.command == "failures":
        found = [(result, result.reason) for result in results if result.status == "failed"]
    else:
        keys = None
        if args.config:
            keys = _planned(args.config, args.cfg_options, args.store)
        found = stale_reasons(results, keys)
    for result, reason in found:
        print(f"{result.file_name}: {reason}")
    print(f"{len(found)} of {len(results)} results")
    return 1 if found else 0


def _planned(path: Path, overrides: dict[str, object], store: Path) -> set[str]:
    """Keys of the runs of a configuration, of a benchmark or a few-shot benchmark."""
    from mmbnft.evaluation.run_spec import load_config
    from mmbnft.grid.episode_jobs import FewShotBenchmark, plan_episodes
    from mmbnft.grid.plan import Benchmark, plan_runs
    from mmbnft.result_files import results_folder

    config = load_config(path, overrides)
    if "few_shot" not in config:
        return {run.key for run in plan_runs(Benchmark.from_config(config))}
    benchmark, manifests = FewShotBenchmark.from_config(config), results_folder(store).parent / "manifests"
    with tempfile.TemporaryDirectory() as folder:
        episodes = manifests if manifests.is_dir() else Path(folder)
        return {job.key for job in plan_episodes(benchmark, episodes)}

"""List, download, convert and verify checkpoints.

Examples:
mmbnft checkpoints verify weights/a.pth
mmbnft checkpoints convert moco-v2 moco-v2.pth

mmbnft checkpoints COMMAND --help shows the options of a command.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmbnft.commands._options import command_parser, sub_parser
from mmbnft.utils.errors import UserError
from mmbnft.zoo.catalogue import DEFAULT_ROOT, GROUPS, entries, get_entry, group, is_here
from mmbnft.zoo.options import add_checkpoint_options

if TYPE_CHECKING:
    from mmbnft.zoo import Certificate
    from mmbnft.zoo.sources import Source


def list_entries(args: argparse.Namespace) -> int:
    """Print one line for each entry."""
    from rich.console import Console
    from rich.table import Table

    known = entries(args.root, args.catalogue)
    ids = group(args.group, args.root) if args.group else tuple(known)
    table = Table("id", "method", "format", "epochs", "top-1 (%)", "here")
    for entry in (known[name] for name in ids):
        here = is_here(entry, args.root)
        top1 = "" if entry.imagenet_linear_top1 is None else f"{entry.imagenet_linear_top1:g}"
        epochs = "" if entry.epochs is None else str(entry.epochs)
        table.add_row(entry.id, entry.method, entry.format, epochs, top1, "yes" if here else "")
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    return 0


def show_entry(args: argparse.Namespace) -> int:
    """Print everything about one entry."""
    print(json.dumps(get_entry(args.id, args.root, args.catalogue).to_dict(), indent=1))
    return 0


def fetch_entries(args: argparse.Namespace) -> int:
    """Download entries one after the other."""
    from mmbnft.utils.download import bytes_bar
    from mmbnft.zoo.fetch import fetch

    for name in args.id:
        with bytes_bar(name) as advance:
            receipts = fetch(get_entry(name, args.root, args.catalogue), args.root, advance)
        for receipt in receipts:
            held = f"matches the published {receipt.checked}" if receipt.checked else "no published hash"
            print(f"{name}: {receipt.file}, {receipt.size} bytes, sha256 {receipt.sha256} ({held})")
    return 0


def convert_file(args: argparse.Namespace) -> int:
    """Write a file in the one layout."""
    from mmbnft.zoo.conversion import convert

    if args.pooling:
        raise UserError("--pooling does not change weights; drop it here and give it to verify and to the runs")
    certificate = convert(source_of(args), args.out, allow_partial=args.allow_partial)
    return report(certificate, as_json=False)


def verify_file(args: argparse.Namespace) -> int:
    """Print a file's certificate; with --json also the reason of a refusal goes to standard output."""
    from mmbnft.zoo.conversion import verify

    try:
        certificate = verify(source_of(args), allow_partial=args.allow_partial, pooling=args.pooling)
    except UserError as error:
        if not args.json:
            raise
        print(json.dumps({"complete": False, "file": args.file, "reason": str(error)}, indent=1))
        return 1
    return report(certificate, as_json=args.json)


def source_of(args: argparse.Namespace) -> "Source":
    """The file that the command line names, with what it states."""
    from mmbnft.zoo.normalisation import stated_normalisation
    from mmbnft.zoo.sources import resolve

    stated = stated_normalisation(args.mean, args.std)
    return resolve(
        args.file, args.format, args.root, normalisation=stated, branch=args.branch, network=args.network,
        catalogue=args.catalogue,
    )  # fmt: skip


def report(certificate: "Certificate", *, as_json: bool) -> int:
    """Print a certificate; 0 only for a full match."""
    if as_json:
        print(json.dumps(certificate.to_dict(), indent=1))
    else:
        for key, value in certificate.to_dict().items():
            print(f"{key:26}{value}")
        if certificate.normalisation is None:
            from mmbnft.zoo.normalisation import how_to_state

            print(f"note: {how_to_state(certificate.file, certificate.format)}")
    return 0 if certificate.complete else 1


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = command_parser(__doc__)
    parser.add_argument("--root", type=Path, default=DEFAULT_ROOT, help="folder with the checkpoints")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = sub_parser(commands, "list", "list known checkpoints, one per line")
    command.add_argument("--group", choices=GROUPS, help="list only this group")
    command.add_argument("--catalogue", default="", metavar="FILE", help="catalogue of your own files")
    command.set_defaults(run=list_entries)
    command = sub_parser(commands, "show", "show a catalogue entry in full")
    command.add_argument("id", help="catalogue id")
    command.add_argument("--catalogue", default="", metavar="FILE", help="catalogue of your own files")
    command.set_defaults(run=show_entry)
    command = sub_parser(commands, "fetch", "download published checkpoints, resuming and checking hashes")
    command.add_argument("id", nargs="+", help="catalogue ids")
    command.add_argument("--catalogue", default="", metavar="FILE", help="catalogue of your own files")
    command.set_defaults(run=fetch_entries)
    command = sub_parser(commands, "convert", "convert a file to the common layout")
    command.add_argument("file", help="path, catalogue id, or timm:NAME, torchvision:NAME, hf:NAME, pip:NAME")
    command.add_argument("out", type=Path, help="file to write; never overwritten")
    command.set_defaults(run=convert_file)
    add_checkpoint_options(command)
    command = sub_parser(commands, "verify", "print a file's certificate; exit status 0 only for a full match")
    command.add_argument("file", help="path, catalogue id, or timm:NAME, torchvision:NAME, hf:NAME, pip:NAME")
    command.add_argument("--json", action="store_true", help="print JSON, even if the file is rejected")
    command.set_defaults(run=verify_file)
    add_checkpoint_options(command)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command."""
    args = parse(argv)
    return int(args.run(args))

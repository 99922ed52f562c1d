"""One colour and one shape for each protocol, the same in every report as far as they are enough."""

import zlib
from collections.abc import Sequence

from mmbnft.ranking.controls import CONTROL

# Colours that keep apart under every common colour blindness (after Okabe & Ito) and from white paper by a contrast of
# 4 or more; the page has a lighter set for dark paper. Shapes differ as well.
PALETTE = ("#0060a0", "#b34a00", "#007a55", "#a8407c", "#7a5c00", "#2a7fb8", "#6b5bb5")
SHAPES = ("circle", "square", "diamond", "up", "down", "plus", "cross")
MATPLOTLIB = {"circle": "o", "square": "s", "diamond": "D", "up": "^", "down": "v", "plus": "P", "cross": "X"}
# Protocols and scores that come up together have marks of their own; other names get one by their spelling.
_KNOWN = (
    "linear", "bn", "bn_paper", "knn", "finetune", "logme", "nearest_class_mean",
    "bn_frozen_stats", "linear_then_bn", "bn_stats", "hscore", "sfda", "gbc", "nleep",
)  # fmt: skip


def mark(name: str, among: Sequence[str]) -> int:
    """Index of colour and shape of a protocol, or -1 for a control.

    Args:
        name: Name of the protocol.
        among: Names of all that are drawn together; where two want one mark, the later takes the next that is free.
    """
    if name.startswith(CONTROL):
        return -1
    taken: dict[str, int] = {}
    known = [one for one in _KNOWN if one in {name, *among}]
    for other in (*known, *sorted({name, *among}.difference(_KNOWN))):
        number = (_KNOWN.index(other) if other in _KNOWN else zlib.crc32(other.encode())) % len(PALETTE)
        while number in taken.values() and len(set(taken.values())) < len(PALETTE):
            number = (number + 1) % len(PALETTE)
        taken[other] = number
    return taken[name]

"""Words of a report that are not plain to every reader, with their definitions for hover and for its last page."""

import re

DEFINITIONS = {
    "Kendall's tau": "Rank correlation: the share of checkpoint pairs that proxy and target order the same way, minus "
    "the share they order differently. 1 is the same order, 0 no relation, -1 the reverse.",
    "weighted tau": "Kendall's tau with more weight on the order of the best checkpoints.",
    "tau": "Kendall's rank correlation: 1 is the same order of checkpoints, 0 no relation, -1 the reverse.",
    "tau lost": "Tau of the most trusted proxy minus that of this one.",
    "regret": "What a pick loses: the best target value minus that of the picked checkpoint, in percentage points. "
    "With k picks, the best of them counts.",
    "rel": "Best target value among the first k, as a share of the overall best.",
    "P(best)": "Probability that a checkpoint is truly the best, given the spread of repeats (or of ranks over tasks).",
    "tier": "Checkpoints not separable from the best of their tier (Tukey's test on a task, Nemenyi's over tasks).",
    "win rate": "Share of the other checkpoints that this one beats, averaged over tasks; ties count half.",
    "best found": "How often the target's best checkpoint is among the first k.",
    "adjusted p": "p-value after Holm's correction for the number of pairs compared.",
    "Pareto front": "Proxies for which no other is both as cheap and as trusted.",
    "control": "A free ranking, such as by ImageNet accuracy or number of parameters. A useful proxy beats it.",
    "not separable": "The data do not show which of the two is better; this does not prove them equal.",
    "proxy": "A cheap score that stands in for fine-tuning a checkpoint on a task.",
    "target": "What a proxy should predict, usually the accuracy after end-to-end fine-tuning.",
    "reliability": "Expected correlation of this order with one from as many other tasks (or seeds) of the same kind.",
}
_WORDS = re.compile(
    r"(?<![\w-])(" + "|".join(re.escape(word) for word in sorted(DEFINITIONS, key=len, reverse=True)) + r")(?![\w-])"
)


def definition(heading: str) -> str:
    """The definition of the first word of the glossary in a heading; "" if it has none."""
    found = _WORDS.search(heading)
    return DEFINITIONS[found.group(1)] if found else ""


def split(sentence: str) -> list[tuple[str, str]]:
    """A sentence in pieces of text, each with the definition of the word that it is; only the first time it occurs."""
    pieces: list[tuple[str, str]] = []
    seen, start = set(), 0
    for found in _WORDS.finditer(sentence):
        if found.group(1) not in seen:
            seen.add(found.group(1))
            pieces += [(sentence[start : found.start()], ""), (found.group(1), DEFINITIONS[found.group(1)])]
            start = found.end()
    return [piece for piece in [*pieces, (sentence[start:], "")] if piece[0]]

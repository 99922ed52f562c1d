"""Checks of a report: every warning has a stable code, a sentence, and a place in docs/checks.md."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmbnft.utils.errors import UserError, choices

# Code to title. A code is never used again for something else; docs/checks.md explains each.
CHECKS = {
    "MB101": "partially loaded checkpoint",
    "MB102": "input normalisation not known from the catalogue",
    "MB103": "leakage between the splits of a task",
    "MB104": "failed runs",
    "MB105": "one protocol, several recipes",
    "MB106": "recipes differ between protocols",
    "MB107": "micro-batches for lack of memory",
    "MB108": "diverged few-shot episodes",
    "MB201": "missing values",
    "MB202": "values that are no number",
    "MB203": "scale of values guessed",
    "MB204": "averages left out",
    "MB205": "file not in UTF-8",
    "MB206": "names matched by alias",
    "MB207": "lower values may be better",
    "MB208": "names without a partner",
    "MB209": "spread of unknown kind",
    "MB301": "few checkpoints",
    "MB302": "one run per cell",
    "MB303": "saturated task",
    "MB304": "pooled correlation misleads",
    "MB305": "few tasks",
    "MB306": "controls ahead of proxies",
    "MB307": "random weights ahead of pre-trained ones",
    "MB308": "checkpoints without the target",
}


@dataclass(frozen=True)
class Finding:
    """One check that fired.

    Attributes:
        code: Key of `CHECKS`.
        sentence: What was found, with names and numbers.
    """

    code: str
    sentence: str

    def __post_init__(self) -> None:
        """Refuse a code that nobody could look up."""
        if self.code not in CHECKS:
            raise ValueError(f"there is no check {self.code}")

    @property
    def title(self) -> str:
        """What kind of check fired."""
        return CHECKS[self.code]

    def __str__(self) -> str:
        return f"{self.code} {self.sentence}"


def reported(findings: Iterable[Finding], ignored: Sequence[str] = ()) -> tuple[Finding, ...]:
    """The findings in the order of their codes, each once, without those that are to be ignored.

    Args:
        findings: What fired.
        ignored: Codes to leave out.

    Raises:
        UserError: A code to ignore does not exist.
    """
    unknown = [code for code in ignored if code not in CHECKS]
    if unknown:
        raise UserError(f"there is no check {unknown[0]!r} to ignore; there are {choices(CHECKS)}")
    kept = dict.fromkeys(finding for finding in findings if finding.code not in ignored)
    return tuple(sorted(kept, key=lambda finding: finding.code))

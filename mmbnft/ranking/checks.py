"""Checks of a report: every warning has a stable code, a sentence, and an explanation in checks.md beside this file."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

from mmbnft.utils.errors import UserError, choices, meant

# Code to title, and code to what it means and what to do. A code is never used again for something else.
_SECTIONS = re.findall(
    r"^### (MB\d+): (.+)\n((?:(?!#).*\n?)*)",
    resources.files(__package__).joinpath("checks.md").read_text("utf-8"),
    re.MULTILINE,
)
CHECKS = {code: title for code, title, _ in _SECTIONS}
EXPLANATIONS = {code: " ".join(text.split()) for code, _, text in _SECTIONS}
# The worst first; whatever is not named is for information.
LEVELS = {
    "may change the pick": ("MB101", "MB103", "MB104", "MB105", "MB109", "MB110", "MB207", "MB306", "MB307"),
    "limits what can be said": (
        "MB102", "MB106", "MB107", "MB108", "MB201", "MB202", "MB301", "MB302", "MB303", "MB305", "MB308", "MB309",
    ),
    "for information": (),
}  # fmt: skip


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
    def level(self) -> str:
        """How bad it is, one of `LEVELS`."""
        return next((level for level, codes in LEVELS.items() if self.code in codes), list(LEVELS)[-1])

    @property
    def title(self) -> str:
        """What kind of check fired."""
        return CHECKS[self.code]

    def __str__(self) -> str:
        return f"{self.code} {self.sentence}"


def reported(findings: Iterable[Finding], ignored: Sequence[str] = ()) -> tuple[Finding, ...]:
    """The findings, the worst first and then in the order of their codes, each once, without those to be ignored.

    Args:
        findings: What fired.
        ignored: Codes to leave out.

    Raises:
        UserError: A code to ignore does not exist.
    """
    unknown = [code for code in ignored if code not in CHECKS]
    if unknown:
        raise UserError(
            f"there is no check {unknown[0]!r} to ignore; there are {choices(CHECKS)}{meant(unknown[0], CHECKS)}"
        )
    kept = dict.fromkeys(finding for finding in findings if finding.code not in ignored)
    return tuple(sorted(kept, key=lambda finding: (list(LEVELS).index(finding.level), finding.code)))

import re
from pathlib import Path

import pytest

from mmbnft.ranking.checks import CHECKS, EXPLANATIONS, Finding, reported
from mmbnft.utils.errors import UserError


def test_every_check_that_can_fire_is_explained_and_no_other_is():
    package = Path(__file__).parents[2] / "mmbnft"
    used = {code for path in package.rglob("*.py") for code in re.findall(r'"(MB\d+)"', path.read_text("utf-8"))}
    assert used == set(CHECKS)
    assert all(len(text.split()) > 5 and "#" not in text for text in EXPLANATIONS.values())


def test_findings_come_with_the_worst_first_once_and_without_ignored_ones():
    found = [Finding(code, "a") for code in ("MB203", "MB301", "MB306", "MB301", "MB302", "MB101")]
    assert [finding.code for finding in reported(found, ["MB302"])] == ["MB101", "MB306", "MB301", "MB203"]
    with pytest.raises(UserError, match="no check 'MB999' to ignore"):
        reported(found, ["MB999"])


def test_a_code_that_nobody_could_look_up_is_refused():
    with pytest.raises(ValueError, match="MB999"):
        Finding("MB999", "x")

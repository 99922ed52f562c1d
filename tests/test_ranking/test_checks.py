import re
from pathlib import Path

import pytest

from mmbnft.ranking.checks import CHECKS, Finding, reported
from mmbnft.utils.errors import UserError


def test_every_check_has_its_place_in_the_documents_and_no_other_is_there():
    text = (Path(__file__).parents[2] / "docs" / "checks.md").read_text("utf-8")
    assert dict(re.findall(r"^### (MB\d+): (.+)$", text, re.MULTILINE)) == CHECKS


def test_findings_come_in_the_order_of_their_codes_once_and_without_ignored_ones():
    found = [Finding("MB301", "b"), Finding("MB101", "a"), Finding("MB301", "b"), Finding("MB302", "c")]
    assert [str(finding) for finding in reported(found, ["MB302"])] == ["MB101 a", "MB301 b"]
    with pytest.raises(UserError, match="no check 'MB999' to ignore"):
        reported(found, ["MB999"])


def test_a_code_that_nobody_could_look_up_is_refused():
    with pytest.raises(ValueError, match="MB999"):
        Finding("MB999", "x")

"""A locale that writes decimals with a comma changes no file, also where a library has switched the process to it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path("/usr/share/i18n/locales/de_DE")
RANK = """
import locale, sys
from mmbnft.__main__ import main
if sys.argv[1] == "german":
    locale.setlocale(locale.LC_ALL, "")
    assert f"{1.5:n}" == "1,5"
main(["rank", "data/published/kanavati2021_medical_auc.csv", "--resamples", "100", "--out", sys.argv[2]])
"""


@pytest.mark.skipif(
    not (SOURCES.is_file() and shutil.which("localedef")), reason="this machine has no sources of locales"
)
def test_a_report_is_the_same_under_a_german_locale(tmp_path):
    subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")], check=True)
    german = {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8"}
    written = []
    for name, variables in (("plain", {}), ("german", german)):
        out = tmp_path / name
        subprocess.run([sys.executable, "-c", RANK, name, str(out)], check=True, env=os.environ | variables)
        written.append({path.name: path.read_bytes() for path in out.rglob("*.csv")})
    assert written[0] == written[1]
    assert b"0." in b"".join(written[1].values())

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*arguments, cwd=ROOT):
    command = [sys.executable, str(ROOT / "tools/rank.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env={"PYTHONPATH": str(ROOT), "PATH": ""})


def test_a_csv_becomes_a_report(tmp_path):
    rows = [f"c{i},dtd,{p},{50 + (i * k) % 7}.5" for i in range(6) for p, k in (("linear", 3), ("finetune", 2))]
    (tmp_path / "t.csv").write_text("\n".join(["checkpoint,task,protocol,value", *rows]))
    done = run(tmp_path / "t.csv", "--out", tmp_path / "out", "--resamples", 200)
    assert done.returncode == 0, done.stderr
    assert "dtd: On this task linear predicts finetune" in done.stdout
    assert (tmp_path / "out/report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"), [(["none.csv"], "there is no source none.csv"), ([ROOT / "setup.py"], "lacks the column")]
)
def test_a_mistake_is_one_sentence(arguments, message, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr

"""A report needs neither torch nor the host framework."""

import subprocess
import sys

HEAVY = ("torch", "torchvision", "sklearn", "timm", "mmcv", "mmcls", "mmselfsup")


def loaded(code):
    """Which of `HEAVY` an interpreter of its own has loaded after `code`."""
    script = f"import sys\n{code}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()


def test_a_report_of_a_table_loads_neither_torch_nor_the_host(tmp_path):
    rows = [f"c{i},dtd,{p},{50 + (i * k) % 7}.5" for i in range(6) for p, k in (("linear", 3), ("finetune", 2))]
    (tmp_path / "t.csv").write_text("\n".join(["checkpoint,task,protocol,value", *rows]))
    code = (
        "from mmbnft.ranking import rank_sources\n"
        f"rank_sources([{str(tmp_path / 't.csv')!r}], out={str(tmp_path / 'out')!r}, resamples=100)"
    )
    assert loaded(code) == []
    assert (tmp_path / "out" / "report.html").exists()

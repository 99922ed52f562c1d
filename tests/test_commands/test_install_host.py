"""What mmcv is built with, of which a fresh clone must have every file."""

import subprocess
import sys

import pytest

from mmbnft.commands import install_host
from mmbnft.utils.shipped import SHIPPED

# As mmcv 1.7.2's setup.py reads its version.
SETUP = """
def get_version():
    exec(compile("__version__ = '1.7.2'", "version.py", "exec"))
    return locals()["__version__"]

print(get_version())
"""


def test_mmcv_finds_its_version_on_every_python(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(install_host.subprocess, "call", lambda command, env=None: called.append((command, env)) or 0)
    assert install_host.main([]) == 0
    (_, plain), (command, environment) = called
    assert plain is None
    assert "--no-build-isolation" in command
    folder = environment["PYTHONPATH"].split(":")[0]
    (tmp_path / "run.py").write_text(f"import runpy; runpy.run_path({folder + '/sitecustomize.py'!r})\n{SETUP}")
    done = subprocess.run([sys.executable, str(tmp_path / "run.py")], capture_output=True, text=True, check=False)
    assert done.stdout == "1.7.2\n", done.stderr


@pytest.mark.parametrize("name", ["build.txt", "host.txt", "mmcv_build/sitecustomize.py"])
def test_what_the_install_reads_is_in_a_clone(name):
    path = SHIPPED / "requirements" / name
    assert path.is_file()
    ignored = subprocess.run(["git", "check-ignore", "-q", str(path)], cwd=path.parent, check=False).returncode == 0
    assert not ignored

"""Lets the tests here share `preparer_case` and one another's miniatures; in importlib mode nothing is importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

"""A process that claims a run, says so, and then waits to be killed: python claim_holder.py CLAIMS.PY FOLDER KEY."""

import importlib.util
import sys
import time
from pathlib import Path

spec = importlib.util.spec_from_file_location("claims", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
claims = module.Claims(Path(sys.argv[2]))
print(claims.take(sys.argv[3]), flush=True)
time.sleep(600)

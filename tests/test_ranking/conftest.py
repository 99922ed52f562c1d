"""A long table with a good and a bad proxy, shared by the tests of reports."""

import numpy as np
import pandas as pd
import pytest

NAMES = [f"ckpt{i:02d}" for i in range(12)]


def _simulated(tasks=3, seed=0, repeats=1):
    """Twelve checkpoints: `good` follows fine-tuning closely, `bad` not at all."""
    rng = np.random.default_rng(seed)
    rows = []
    for t in range(tasks):
        truth = 60 + 10 * t + 8 * rng.random(12)
        columns = {"finetune": truth, "good": truth - 9 + 0.5 * rng.normal(size=12), "bad": 50 + 8 * rng.random(12)}
        for protocol, values in columns.items():
            for name, value in zip(NAMES, values, strict=True):
                for s in range(repeats):
                    noise = 0.3 * rng.normal() if repeats > 1 else 0.0
                    cost = {"finetune": 900.0, "good": 60.0, "bad": 30.0}[protocol]
                    rows.append((name, f"task{t}", protocol, 0, s, value + noise, cost))
    return pd.DataFrame(rows, columns=["checkpoint", "task", "protocol", "split", "seed", "value", "cost_seconds"])


@pytest.fixture(scope="session")
def simulated():
    """The function that makes the table: `simulated(tasks, seed, repeats)`."""
    return _simulated

"""A prior that knows nothing, and trainings written one by one."""

import numpy as np

from mmbnft.select.belief import Seen
from mmbnft.select.past import SCALE_PRIOR, Prior
from mmbnft.select.race import SHARES


def flat_prior(checkpoints: int) -> Prior:
    """All checkpoints alike."""
    return Prior(np.zeros(checkpoints), np.ones(checkpoints), SCALE_PRIOR)


def seen_of(checkpoints: int, trainings: list[tuple[int, float, float]], noise: float = 0.3) -> Seen:
    """One race's trainings, as checkpoint, share and value."""
    seen = Seen.nothing(1, checkpoints, len(SHARES))
    for one, share, value in trainings:
        add(seen, one, SHARES.index(share), value, noise)
    return seen


def add(seen: Seen, checkpoint: int, length: int, value: float, noise: float = 0.3) -> None:
    """One more of the first race."""
    seen.add((np.array([0]), np.array([checkpoint]), np.array([length])), np.array([value]), noise)

"""A prior that knows nothing."""

import numpy as np

from mmbnft.select.past import SCALE_PRIOR, Prior


def flat_prior(checkpoints: int) -> Prior:
    """All checkpoints alike."""
    return Prior(np.zeros(checkpoints), np.ones(checkpoints), SCALE_PRIOR)

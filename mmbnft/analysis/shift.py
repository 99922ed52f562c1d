"""How far a run moved the norm layers of a network, as arrays in and numbers out."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# A channel whose weight is smaller than this hands on next to nothing but its bias.
DEAD = 1e-3


def movement(before: Array, after: Array) -> dict[str, float]:
    """How far a parameter moved.

    Args:
        before: (C,) values.
        after: (C,) values of the same channels.

    Returns:
        `absolute` (mean of |after - before|), `relative` (Euclidean length of the change over that of `before`; NaN
        where that is 0) and `flipped` (number of channels whose sign is the opposite).
    """
    change, length = after - before, float(np.linalg.norm(before))
    return {
        "absolute": float(np.abs(change).mean()),
        "relative": float(np.linalg.norm(change)) / length if length else float("nan"),
        "flipped": int((np.sign(before) * np.sign(after) < 0).sum()),
    }


def dead_channels(before: Array, after: Array) -> dict[str, int]:
    """Channels whose weight became smaller than `DEAD` (`died`) and ceased to be (`revived`); arrays (C,)."""
    were, are = np.abs(before) < DEAD, np.abs(after) < DEAD
    return {"died": int((are & ~were).sum()), "revived": int((were & ~are).sum())}


def symmetric_kl(mean_a: Array, var_a: Array, mean_b: Array, var_b: Array, eps: float = 1e-5) -> Array:
    """Mean of the two Kullback-Leibler divergences between the Gaussians of each channel, in nats.

    Args:
        mean_a: (C,) means.
        var_a: (C,) variances.
        mean_b: (C,) means.
        var_b: (C,) variances.
        eps: What the norm layer adds to its variances.

    Returns:
        (C,); 0 where both are the same.
    """
    a, b = var_a + eps, var_b + eps
    # The logarithms of the two directions cancel.
    return np.asarray(((a + (mean_a - mean_b) ** 2) / b + (b + (mean_a - mean_b) ** 2) / a - 2) / 4)

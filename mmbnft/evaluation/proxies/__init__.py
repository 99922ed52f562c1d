"""Training-free proxies: each a pure function of (features, labels) of training images, larger is better.

Every score is a mean over the images it was given; none may see an image of the test split.
"""

from collections.abc import Callable

from mmbnft.evaluation.proxies.geometry import gbc, hscore, sfda, transrate
from mmbnft.evaluation.proxies.inputs import Features, Labels
from mmbnft.evaluation.proxies.logme import logme
from mmbnft.evaluation.proxies.neighbours import knn, nearest_class_mean
from mmbnft.evaluation.proxies.transfer import leep, nleep

# Scores that need features and labels only; LEEP needs the probabilities of a source classifier instead.
SCORES: dict[str, Callable[[Features, Labels], float]] = {
    "knn": knn,
    "nearest_class_mean": nearest_class_mean,
    "logme": logme,
    "nleep": nleep,
    "hscore": hscore,
    "transrate": transrate,
    "sfda": sfda,
    "gbc": gbc,
}

__all__ = [
    "SCORES",
    "gbc",
    "hscore",
    "knn",
    "leep",
    "logme",
    "nearest_class_mean",
    "nleep",
    "sfda",
    "transrate",
]

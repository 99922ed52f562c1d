"""Few-shot problems: fixed episodes, and ways to adapt a checkpoint to each of them."""

from mmbnft.fewshot.manifest import Manifest, open_manifest, read_manifest, write_manifest
from mmbnft.fewshot.methods import FEATURE_METHODS, Method
from mmbnft.fewshot.recipe import FewShotRecipe
from mmbnft.fewshot.run import FewShotSpec, Subject, episode_facts, execute_episodes, prepare_subject
from mmbnft.fewshot.settings import EpisodeSettings
from mmbnft.fewshot.statistics import mean_accuracy, paired_difference

__all__ = [
    "FEATURE_METHODS",
    "EpisodeSettings",
    "FewShotRecipe",
    "FewShotSpec",
    "Manifest",
    "Method",
    "Subject",
    "episode_facts",
    "execute_episodes",
    "mean_accuracy",
    "open_manifest",
    "paired_difference",
    "prepare_subject",
    "read_manifest",
    "write_manifest",
]

"""Few-shot problems: fixed episodes, and ways to adapt a checkpoint to each of them."""

from typing import TYPE_CHECKING

from mmbnft.utils.lazy import lazy_names

if TYPE_CHECKING:
    from mmbnft.fewshot.arm import Subject as Subject
    from mmbnft.fewshot.episode_run import FewShotSpec as FewShotSpec
    from mmbnft.fewshot.episode_run import episode_facts as episode_facts
    from mmbnft.fewshot.episode_run import execute_episodes as execute_episodes
    from mmbnft.fewshot.episode_run import prepare_subject as prepare_subject
    from mmbnft.fewshot.episode_settings import EpisodeSettings as EpisodeSettings
    from mmbnft.fewshot.intervals import mean_accuracy as mean_accuracy
    from mmbnft.fewshot.intervals import paired_difference as paired_difference
    from mmbnft.fewshot.manifest import Manifest as Manifest
    from mmbnft.fewshot.manifest import open_manifest as open_manifest
    from mmbnft.fewshot.manifest import read_manifest as read_manifest
    from mmbnft.fewshot.manifest import write_manifest as write_manifest
    from mmbnft.fewshot.methods import ON_FEATURES as ON_FEATURES
    from mmbnft.fewshot.methods import Method as Method

_HOMES = {
    "arm": ("Subject",),
    "manifest": ("Manifest", "open_manifest", "read_manifest", "write_manifest"),
    "methods": ("ON_FEATURES", "Method"),
    "episode_run": ("FewShotSpec", "episode_facts", "execute_episodes", "prepare_subject"),
    "episode_settings": ("EpisodeSettings",),
    "intervals": ("mean_accuracy", "paired_difference"),
}
__getattr__ = lazy_names(__name__, _HOMES)

"""Drawing episodes: which classes, which support and which query images. NumPy only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmbnft.fewshot.episode_settings import EpisodeSettings
from mmbnft.utils.errors import UserError

Numbers = npt.NDArray[np.int64]
Members = dict[int, Numbers]

# Validation episodes get classes of their own if a quarter of the classes is enough for an episode.
SHARE = 4


@dataclass(frozen=True)
class Episodes:
    """Episodes of one size.

    Attributes:
        classes: (E, N) class numbers, no class twice in an episode.
        support: (E, N, K) image numbers.
        queries: (E, N, Q) image numbers; no image is twice in an episode.
    """

    classes: Numbers
    support: Numbers
    queries: Numbers

    def __len__(self) -> int:
        """Number of episodes."""
        return len(self.classes)


@dataclass(frozen=True)
class Draw:
    """All episodes of a manifest.

    Attributes:
        test: Episodes whose accuracy is reported.
        validation: Episodes to choose on; None if there are none.
        apart_by: What the two kinds do not share: `classes`, `images`, or `` without validation episodes.
        excluded: Classes left out as too small.
    """

    test: Episodes
    validation: Episodes | None
    apart_by: str
    excluded: tuple[int, ...]


def draw_episodes(labels: npt.NDArray[np.integer], names: Mapping[int, str], settings: EpisodeSettings) -> Draw:
    """Draw validation and test episodes.

    An episode draws its classes uniformly without repetition, then the images of each class uniformly without
    repetition. Validation episodes use other classes where a quarter of the classes makes an episode, and else other
    images of the same classes.

    Args:
        labels: int (n,) class of every image of the pool.
        names: Class number to name, for messages.
        settings: What to draw.

    Raises:
        UserError: Classes or images do not suffice.
    """
    everything = {int(c): np.flatnonzero(labels == c) for c in sorted(names)}
    members, excluded = _large_enough(everything, names, settings.per_class, settings)
    # Streams of their own: test episodes depend neither on how many others there are nor, one by one, on their number.
    parting, choosing, testing = (np.random.default_rng([settings.seed, stream]) for stream in range(3))
    if not settings.validation:
        return Draw(_draw(members, settings, settings.episodes, testing), None, "", tuple(excluded))
    if len(members) >= SHARE * settings.n_way:
        apart_by, parts = "classes", _apart_by_classes(members, parting)
    else:
        members, excluded = _large_enough(everything, names, 2 * settings.per_class, settings)
        apart_by, parts = "images", _apart_by_images(members, settings.per_class, parting)
    validation = _draw(parts[0], settings, settings.validation, choosing)
    return Draw(_draw(parts[1], settings, settings.episodes, testing), validation, apart_by, tuple(excluded))


def _large_enough(
    members: Members, names: Mapping[int, str], need: int, settings: EpisodeSettings
) -> tuple[Members, list[int]]:
    """The classes with at least `need` images, and the numbers of the others."""
    small = [c for c, numbers in members.items() if len(numbers) < need]
    listed = ", ".join(f"{names[c]} ({len(members[c])})" for c in small[:20]) + (", ..." if len(small) > 20 else "")
    apart = " with validation on other images" if need > settings.per_class else ""
    wanted = f"the {need} images that {settings.k_shot} shots and {settings.queries} queries need{apart}"
    if small and settings.small_classes == "refuse":
        raise UserError(
            f"{len(small)} of {len(members)} classes have fewer than {wanted}: {listed}; choose fewer shots or "
            "queries, or small_classes='exclude'"
        )
    if len(members) < settings.n_way:
        raise UserError(f"an episode has {settings.n_way} classes but the task only {len(members)}; choose fewer ways")
    if len(members) - len(small) < settings.n_way:
        raise UserError(
            f"only {len(members) - len(small)} of {len(members)} classes have {wanted}, and an episode has "
            f"{settings.n_way} classes; choose fewer ways, shots or queries"
        )
    return {c: numbers for c, numbers in members.items() if c not in small}, small


def _apart_by_classes(members: Members, random: np.random.Generator) -> tuple[Members, Members]:
    """A quarter of the classes for validation, the others for test."""
    chosen = set(random.permutation(sorted(members))[: len(members) // SHARE].tolist())
    validation = {c: numbers for c, numbers in members.items() if c in chosen}
    return validation, {c: numbers for c, numbers in members.items() if c not in chosen}


def _apart_by_images(members: Members, per_class: int, random: np.random.Generator) -> tuple[Members, Members]:
    """A quarter of each class's images for validation, but at least one episode's; the others for test."""
    validation, test = {}, {}
    for c, numbers in members.items():
        order = random.permutation(numbers)
        size = max(per_class, len(order) // SHARE)
        validation[c], test[c] = order[:size], order[size:]
    return validation, test


def _draw(members: Members, settings: EpisodeSettings, count: int, random: np.random.Generator) -> Episodes:
    if settings.disjoint:
        plan, images = _disjoint(members, settings, count, random)
    else:
        plan, images = _independent(members, settings, count, random)
    return Episodes(plan.astype(np.int64), images[:, :, : settings.k_shot], images[:, :, settings.k_shot :])


def _independent(
    members: Members, settings: EpisodeSettings, count: int, random: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Classes (E, N) and images (E, N, K + Q) of episodes drawn without regard to each other."""
    known, plan, images = np.array(sorted(members)), [], []
    for _ in range(count):
        plan.append(random.choice(known, settings.n_way, replace=False))
        images.append([random.choice(members[int(c)], settings.per_class, replace=False) for c in plan[-1]])
    return np.stack(plan), np.array(images)


def _disjoint(
    members: Members, settings: EpisodeSettings, count: int, random: np.random.Generator
) -> tuple[Numbers, Numbers]:
    """Classes (E, N) and images (E, N, K + Q) of episodes without a common image.

    Classes are drawn uniformly among those with enough images left, as long as what remains suffices for the remaining
    episodes; otherwise those with most left are taken, which always suffices if anything does.
    """
    size, ways = settings.per_class, settings.n_way
    known = np.array(sorted(members))
    shuffled = {int(c): random.permutation(members[int(c)]) for c in known}
    left = np.array([len(members[int(c)]) // size for c in known])
    if not _suffices(left, count, ways):
        most = next(n for n in range(count, -1, -1) if _suffices(left, n, ways))
        raise UserError(
            f"without a common image there are only {most} episodes of {ways} classes and {size} images each, "
            f"got {count}; ask for fewer, or set disjoint to false"
        )
    plan, images = [], []
    for remaining in range(count - 1, -1, -1):
        chosen = random.choice(np.flatnonzero(left > 0), ways, replace=False)
        if not _suffices(left - np.isin(np.arange(len(left)), chosen), remaining, ways):
            order = random.permutation(len(left))
            chosen = order[np.argsort(-left[order], kind="stable")][:ways]
        left[chosen] -= 1
        plan.append(known[chosen])
        images.append([shuffled[int(known[i])][left[i] * size : (left[i] + 1) * size] for i in chosen])
    return np.stack(plan), np.array(images)


def _suffices(left: Numbers, episodes: int, ways: int) -> bool:
    """Whether classes that can still be used `left` times make that many episodes of `ways` different classes."""
    return int(np.minimum(left, episodes).sum()) >= episodes * ways

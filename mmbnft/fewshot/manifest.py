"""The file that fixes the episodes of a task, so that every checkpoint and method meets the same ones."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmbnft.fewshot.episode_settings import EpisodeSettings
from mmbnft.fewshot.sampling import Draw, Episodes, draw_episodes
from mmbnft.tasks import Images, Task
from mmbnft.utils import files
from mmbnft.utils.errors import UserError

SCHEMA = 1
KIND = "few-shot episodes"


@dataclass(frozen=True)
class Manifest:
    """Episodes of one task.

    Images are numbered by their place in the pool, that is `task.images(settings.pool)`.

    Attributes:
        task: Name of the task.
        split: Number of the official split.
        pool: Hex content hash of the images of the pool.
        settings: What was asked for.
        draw: The episodes.
        sha256: Hex hash of everything above.
    """

    task: str
    split: int
    pool: str
    settings: EpisodeSettings
    draw: Draw
    sha256: str

    @property
    def parts(self) -> dict[str, Episodes]:
        """Episodes by `validation`, if there are any, and `test`."""
        validation = {} if self.draw.validation is None else {"validation": self.draw.validation}
        return {**validation, "test": self.draw.test}

    def images(self) -> np.ndarray:
        """Sorted numbers of the images that occur."""
        parts = [numbers.ravel() for part in self.parts.values() for numbers in (part.support, part.queries)]
        return np.unique(np.concatenate(parts))


def open_manifest(path: Path | str, task: Task, settings: EpisodeSettings) -> Manifest:
    """Read the manifest at `path`, or draw and write it if there is none.

    Args:
        path: The file.
        task: The task that the episodes are of.
        settings: What determines them.

    Raises:
        UserError: The file is damaged, belongs to another task or to other settings, or the task cannot give such
            episodes.
    """
    if not Path(path).exists():
        return write_manifest(path, task, settings)
    manifest = read_manifest(path, task)
    if manifest.settings != settings:
        wanted, there = dataclasses.asdict(settings), dataclasses.asdict(manifest.settings)
        differing = ", ".join(f"{k} {there[k]!r} instead of {wanted[k]!r}" for k in wanted if wanted[k] != there[k])
        raise UserError(f"the episodes in {path} have {differing}; use another file, or delete it to draw new ones")
    return manifest


def write_manifest(path: Path | str, task: Task, settings: EpisodeSettings) -> Manifest:
    """Draw episodes and write them: JSON lines, a head, then one line for each image and each episode.

    Args:
        path: The file; one that is there is replaced.
        task: The task that the episodes are drawn from.
        settings: What determines them.

    Raises:
        UserError: The task is multi-label or has too few classes or images.
    """
    if task.multi_label:
        raise UserError(f"task {task.name} has several classes per image, so it has no episodes; use another task")
    pool = task.images(settings.pool)
    draw = draw_episodes(pool.labels, dict(enumerate(task.classes)), settings)
    manifest = Manifest(task.name, task.split, _identity(pool), settings, draw, "")
    body = [_line(entry) for entry in _entries(manifest, pool)]
    head = _head(manifest, task)
    head["sha256"] = _digest(head, body)
    files.write_text(path, "\n".join([_line(head), *body, ""]))
    return dataclasses.replace(manifest, sha256=head["sha256"])


def read_manifest(path: Path | str, task: Task) -> Manifest:
    """Read a manifest and hold it against its task.

    Raises:
        UserError: The file cannot be read, was changed, or belongs to other images.
    """
    try:
        head, *rest = Path(path).read_text(encoding="utf-8").splitlines()
        content = json.loads(head)
        if (content["kind"], content["schema"]) != (KIND, SCHEMA):
            raise ValueError(f"it is not of schema {SCHEMA}")
        digest = content.pop("sha256")
        if digest != _digest(content, rest):
            raise ValueError("its content does not have the hash in its head")
        draw = _draw_from(content, [json.loads(line) for line in rest])
        settings = EpisodeSettings.from_config(content["settings"])
    except OSError as error:
        raise UserError(f"cannot read the episodes {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a whole file of episodes ({error}); restore it, or delete it to draw new ones"
        ) from error
    pool = task.images(settings.pool)
    if content["pool"] != _identity(pool):
        raise UserError(
            f"the episodes in {path} were drawn from other images (task {content['task']!r}, split "
            f"{content['split']}, content {content['pool'][:12]}) than task {task.name!r}, split {task.split}, has "
            f"(content {_identity(pool)[:12]}); use another file, or prepare the task as it was"
        )
    return Manifest(content["task"], content["split"], content["pool"], settings, draw, digest)


def _identity(pool: Images) -> str:
    return hashlib.sha256(pool.identity.encode("ascii")).hexdigest()


def _digest(head: dict[str, Any], body: list[str]) -> str:
    known = {key: value for key, value in head.items() if key != "sha256"}
    return hashlib.sha256("\n".join([_line(known), *body]).encode("utf-8")).hexdigest()


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _head(manifest: Manifest, task: Task) -> dict[str, Any]:
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "task": manifest.task,
        "split": manifest.split,
        "pool": manifest.pool,
        "settings": dataclasses.asdict(manifest.settings),
        "apart_by": manifest.draw.apart_by,
        "excluded": list(manifest.draw.excluded),
        "classes": list(task.classes),
    }


def _entries(manifest: Manifest, pool: Images) -> Iterator[dict[str, Any]]:
    for number in manifest.images().tolist():
        yield {"image": number, "name": pool.name(number), "class": int(pool.labels[number])}
    for part, episodes in manifest.parts.items():
        for index in range(len(episodes)):
            yield {
                "part": part,
                "episode": index,
                "classes": episodes.classes[index].tolist(),
                "support": episodes.support[index].tolist(),
                "queries": episodes.queries[index].tolist(),
            }


def _draw_from(head: dict[str, Any], entries: list[dict[str, Any]]) -> Draw:
    parts: dict[str, Episodes] = {}
    for part in ("validation", "test"):
        rows = [entry for entry in entries if entry.get("part") == part]
        if rows:
            parts[part] = Episodes(*(np.array([row[key] for row in rows]) for key in ("classes", "support", "queries")))
    return Draw(parts["test"], parts.get("validation"), head["apart_by"], tuple(head["excluded"]))

"""What every preparer must do, on a miniature of its official archives; a data set's test states only facts."""

import io
import os
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmbnft.tasks import METRICS, list_task
from mmbnft.tasks.annotation import read_list
from mmbnft.tasks.preparers import PREPARERS, Counts, Facts, Preparer, prepare
from mmbnft.utils.errors import UserError
from mmbnft.utils.files import read_json


def picture(seed=0, size=(12, 10), mode="RGB", form="JPEG"):
    """Bytes of a small random image; content follows `mode` and `form`, whatever the file is called."""
    pixels = np.random.RandomState(seed).randint(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    stream = io.BytesIO()
    image.save(stream, form)
    return stream.getvalue()


def text(*lines):
    return ("\n".join(lines) + "\n").encode()


def tar(path, members):
    """Write `members` (name: bytes) as a tar archive, compressed as the suffix says."""
    with tarfile.open(path, "w:gz" if path.suffix in (".gz", ".tgz") else "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def without_hashes(facts: Facts, **changes) -> Facts:
    """Facts of a miniature: its own counts, and no published hash, which only the real archives have."""
    archives = tuple(replace(archive, md5="") for archive in facts.archives)
    return replace(facts, **{"images": None, "images_per_class": None, "archives": archives, **changes})


class PreparerCase:
    """Attributes a subclass states.

    Attributes:
        preparer: The class under test.
        official: Number of classes, metric, counts of every split (train, val, test) of the real data set.
        classes: Class names of the miniature in the order of their numbers.
        counts: Counts of every split of the miniature.
        labels: Some images of split 0 with their label.
        absent: Names that look like images but belong to no list.
    """

    preparer: type[Preparer]
    official: tuple[int, str, dict[str, tuple[int, int, int]]]
    classes: tuple[str, ...]
    counts: dict[str, tuple[int, int, int]]
    labels: dict[str, object]
    absent: tuple[str, ...] = ()

    def build(self, folder: Path) -> list[Path]:
        """Write the miniature archives to `folder`."""
        raise NotImplementedError

    def facts(self, **changes) -> Facts:
        counts = {name: Counts(*sizes) for name, sizes in self.counts.items()}
        return without_hashes(self.preparer.facts, **{"classes": len(self.classes), "counts": counts, **changes})

    def prepare(self, folder, archives, **changes):
        return prepare(self.preparer(self.facts(**changes)), folder / "data", archives)

    @pytest.fixture
    def archives(self, tmp_path):
        folder = tmp_path / "given"
        folder.mkdir()
        return self.build(folder)

    @pytest.fixture(autouse=True)
    def _no_flushing(self, monkeypatch):
        """Surviving a power loss is tested with `mmbnft.utils.files`; here it would only cost time."""
        monkeypatch.setattr(os, "fsync", lambda handle: None)

    def test_official_figures(self):
        facts = self.preparer.facts
        assert (facts.classes, facts.metric) == self.official[:2]
        assert {name: tuple(counts) for name, counts in facts.counts.items()} == self.official[2]
        assert facts.metric in METRICS
        assert PREPARERS[facts.name] is self.preparer
        assert facts.licence
        assert facts.version
        assert all(len(archive.md5) in (0, 32) for archive in facts.archives)

    def test_lists(self, tmp_path, archives):
        folder = self.prepare(tmp_path, archives).folder
        for split, sizes in enumerate(self.counts.values()):
            task = list_task(str(folder), split=split)
            assert task.classes == self.classes
            assert tuple(len(task.images(part)) for part in ("train", "val", "test")) == sizes
            assert len(self._labels(folder, split)) == sum(sizes)  # no image is in two lists
        found = self._labels(folder, split=0)
        assert {name: found.get(name) for name in self.labels} == self.labels
        assert not [name for name in self.absent if name in found]

    def test_description(self, tmp_path, archives):
        folder = self.prepare(tmp_path, archives).folder
        description = read_json(folder / "task.json")
        assert description["name"] == self.preparer.facts.name
        assert description["split_names"] == list(self.counts)
        assert description["licence"] == self.preparer.facts.licence
        assert description["list_hashes"]["0"] == list_task(str(folder)).hashes

    def test_second_call_confirms(self, tmp_path, archives):
        first = self.prepare(tmp_path, archives)
        before = {path: path.stat().st_mtime_ns for path in (first.folder / "images").rglob("*") if path.is_file()}
        lists = {path: path.read_bytes() for path in (first.folder / "lists").rglob("*.txt")}
        again = self.prepare(tmp_path, archives)
        assert first.decoded == len(first.reading.names())
        assert again.decoded == 0
        assert before == {path: path.stat().st_mtime_ns for path in before}
        assert lists == {path: path.read_bytes() for path in lists}

    def test_second_call_repairs(self, tmp_path, archives):
        first = self.prepare(tmp_path, archives)
        missing, damaged = first.reading.names()[0], first.reading.names()[-1]
        whole = {name: (first.folder / "images" / name).read_bytes() for name in (missing, damaged)}
        (first.folder / "images" / missing).unlink()
        (first.folder / "images" / damaged).write_bytes(whole[damaged][:50])
        self.prepare(tmp_path, archives)
        assert whole == {name: (first.folder / "images" / name).read_bytes() for name in whole}

    def test_needs_its_archives(self, tmp_path):
        with pytest.raises(UserError, match=r"needs .* from"):
            self.prepare(tmp_path, [])

    def test_truncated_archive(self, tmp_path, archives):
        largest = max(archives, key=lambda path: path.stat().st_size)
        largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
        with pytest.raises(UserError, match=r"truncated|not a readable|expected|missing|no .* below"):
            self.prepare(tmp_path, archives)
        assert not (tmp_path / "data" / self.preparer.facts.name / "task.json").exists()

    def test_other_counts_are_refused(self, tmp_path, archives):
        name = next(iter(self.counts))
        train, val, test = self.counts[name]
        counts = {k: Counts(*sizes) for k, sizes in self.counts.items()} | {name: Counts(train, val, test + 1)}
        with pytest.raises(UserError, match=f"expected {test + 1} test images, found {test}"):
            self.prepare(tmp_path, archives, counts=counts)

    def _labels(self, folder, split):
        """Label by image name over the three lists of a split, read back from the files."""
        multi_label = self.preparer.facts.multi_label
        found = {}
        for part in ("train", "val", "test"):
            content = read_list(folder / "lists" / str(split) / f"{part}.txt", len(self.classes), multi_label)
            labels = [tuple(np.flatnonzero(row).tolist()) if multi_label else int(row) for row in content.labels]
            found.update(zip(content.names, labels, strict=True))
        return found

"""Files that come with the package: configurations, small checkpoints, published tables, the tested versions.

They lie in `mmbnft/.mim`, where OpenMMLab's `mim` looks too: links to the checkout's folders there, copies in a wheel.
"""

from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[1] / ".mim"


def find_shipped(path: Path | str) -> Path:
    """`path` where there is something; else what comes with the package under that name, if it does.

    Args:
        path: As a person gives it, e.g. `configs/benchmarks/quickstart.py`; their own files go first.

    Returns:
        An existing file or folder, or `path` itself where there is neither.
    """
    path = Path(path)
    inside = SHIPPED / path
    return inside if not path.is_absolute() and not path.exists() and inside.exists() else path

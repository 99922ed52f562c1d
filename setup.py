"""Installs mmbnft; the tested, pinned set of versions is in requirements/."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent

setup(
    name="mmbnft",
    version="0.1.0",
    description="Ranks self-supervised image checkpoints before fine-tuning: BN tuning as an MMSelfSup 0.x plugin",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["mmbnft", "mmbnft.*"]),
    entry_points={"console_scripts": ["mmbnft = mmbnft.__main__:main"]},
    package_data={
        "mmbnft": ["py.typed"],
        "mmbnft.analysis": ["page.html"],
        "mmbnft.ranking": ["checks.md"],
        "mmbnft.ranking.report": ["page.css", "page.html", "page.js"],
    },
    python_requires=">=3.10,<3.13",
    install_requires=[
        "torch>=2.6",
        "torchvision>=0.21",
        "mmcls==0.25.0",
        "mmselfsup==0.11.0",
        "numpy>=1.26",
        "scipy>=1.11",
        "scikit-learn>=1.4",
        "pandas>=2.1",
        "matplotlib>=3.8",
        "jinja2>=3.1",
        "pillow>=10.1",
        "opencv-python-headless>=4.8",
        "rich>=13.6",
        "safetensors>=0.4",
        "tensorboard>=2.14",
        "timm>=1.0.9",
        "wandb>=0.18",
    ],
    # mmcv and mmcv-full share the import name `mmcv`, so neither may be forced on a person who has the other.
    extras_require={
        "mmcv": ["mmcv==1.7.2"],
        "ray": ["ray>=2.30"],
        "dev": ["pytest>=8", "pytest-xdist>=3.5", "selenium>=4.20", "ruff>=0.9", "mypy>=1.14"],
    },
)

"""Installs mmbnft; the tested, pinned set of versions is in requirements/."""

import runpy
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent

setup(
    name="mmbnft",
    version=runpy.run_path(str(ROOT / "mmbnft/__init__.py"))["__version__"],
    description="Ranks self-supervised image checkpoints before fine-tuning: BN tuning as an MMSelfSup 0.x plugin",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["mmbnft", "mmbnft.*"]),
    entry_points={"console_scripts": ["mmbnft = mmbnft.__main__:main"]},
    package_data={
        # `.mim` is where OpenMMLab's tools, and mmbnft.utils.shipped, look for what comes with a package.
        "mmbnft": ["py.typed", ".mim/*", ".mim/**/*"],
        "mmbnft.analysis": ["page.html"],
        "mmbnft.ranking": ["checks.md"],
        "mmbnft.ranking.report": ["page.css", "page.html", "page.js"],
        "mmbnft.select": ["page.html"],
    },
    exclude_package_data={"": ["*.pyc"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.11,<3.14",
    install_requires=[
        "torch>=2.6,<2.14",
        "torchvision>=0.21,<0.29",
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
    # mmcv is missing above: its source does not build by a plain `pip install` (`mmbnft install-host` builds it), and
    # mmcv-full has the same import name.
    extras_require={
        "mlflow": ["mlflow-skinny>=3"],
        "parquet": ["pyarrow>=15"],
        "ray": ["ray>=2.30"],
        "dev": ["pytest>=8", "pytest-xdist>=3.5", "selenium>=4.20", "ruff>=0.9", "mypy>=1.14"],
    },
)

"""MMSelfSup 0.x model zoo, and families of prepared files, as data; addresses are those of its metafiles."""

from mmbnft.zoo.entry import CatalogueEntry

_OPENMMLAB = "https://download.openmmlab.com/mmselfsup/"
_ZOO_KEYS = "Which keys besides the backbone are in the uploaded file is not known; those of the algorithm are read."

# id, method, epochs, linear top-1 of the zoo's table, file; the file name ends with its SHA-256 prefix.
_ZOO = (
    ("relative-loc", "Relative Location", 70, 38.78,
     "relative_loc/relative-loc_resnet50_8xb64-steplr-70e_in1k_20220225-84784688"),
    ("rotation", "Rotation", 70, 48.12,
     "rotation_pred/rotation-pred_resnet50_8xb16-steplr-70e_in1k_20220225-5b9f06a0"),
    ("npid", "NPID", 200, 58.97,
     "npid/npid_resnet50_8xb32-steplr-200e_in1k_20220225-5fbbda2a"),
    ("odc", "ODC", 440, 53.43,
     "odc/odc_resnet50_8xb64-steplr-440e_in1k_20220225-a755d9c0"),
    ("simclr-bs256", "SimCLR (batch 256)", 200, 62.56,
     "simclr/simclr_resnet50_8xb32-coslr-200e_in1k_20220428-46ef6bb9"),
    ("simclr-bs4096", "SimCLR (batch 4096)", 200, 66.66,
     "simclr/simclr_resnet50_16xb256-coslr-200e_in1k_20220428-8c24b063"),
    ("moco-v2", "MoCo v2", 200, 67.58,
     "moco/mocov2_resnet50_8xb32-coslr-200e_in1k_20220225-89e03af4"),
    ("byol", "BYOL", 200, 71.72,
     "byol/byol_resnet50_8xb32-accum16-coslr-200e_in1k_20220225-5c8b2c2e"),
    ("byol-bs4096", "BYOL (batch 4096)", 200, 71.88,
     "byol/byol_resnet50_16xb256-coslr-200e_in1k_20220527-b6f8eedd"),
    ("byol-300ep", "BYOL (300 epochs)", 300, 72.93,
     "byol/byol_resnet50_8xb32-accum16-coslr-300e_in1k_20220225-a0daa54a"),
    ("swav", "SwAV", 200, 70.47,
     "swav/swav_resnet50_8xb32-mcrop-2-6-coslr-200e_in1k-224-96_20220225-0497dd5d"),
    ("densecl", "DenseCL", 200, 63.62,
     "densecl/densecl_resnet50_8xb32-coslr-200e_in1k_20220225-8c7808fe"),
    ("simsiam", "SimSiam", 100, 68.28,
     "simsiam/simsiam_resnet50_8xb32-coslr-100e_in1k_20220225-68a88ad8"),
    ("simsiam-200ep", "SimSiam (200 epochs)", 200, 69.84,
     "simsiam/simsiam_resnet50_8xb32-coslr-200e_in1k_20220225-2f488143"),
    ("barlowtwins", "Barlow Twins", 300, 71.66,
     "barlowtwins/barlowtwins_resnet50_8xb256-coslr-300e_in1k_20220419-5ae15f89"),
    ("interclr", "InterCLR", 200, 68.04,
     "interclr/interclr-moco_resnet50_8xb32-coslr-200e_in1k_20221206-38f8fdaf"),
)  # fmt: skip


def _zoo_entry(name: str, method: str, epochs: int, top1: float, stem: str) -> CatalogueEntry:
    return CatalogueEntry(
        f"mmselfsup-{name}",
        f"{method} (MMSelfSup 0.x)",
        "mmselfsup",
        f"{_OPENMMLAB}{stem}.pth",
        (stem.rsplit("/", 1)[-1] + ".pth",),
        epochs=epochs,
        imagenet_linear_top1=top1,
        licence="Apache-2.0",
        sha256=stem.rsplit("-", 1)[-1],
        unverified=(_ZOO_KEYS,),
    )


# Prepared files that name no single source; hand over a path with `--format`.
FAMILIES = (
    CatalogueEntry(
        "mmselfsup-backbone",
        "backbone cut by MMSelfSup's extract_backbone_weights.py",
        "mmselfsup-extracted",
        architecture=None,
        normalisation=None,
        unverified=("The file does not say which method or normalisation it had; state it.",),
    ),
    CatalogueEntry(
        "ssl-transfer",
        "backbone prepared by ssl-transfer's scripts",
        "flat",
        normalisation=None,
        tensors=(318,),
        unverified=("The file does not say its normalisation: SimCLR needs [0, 1], all others ImageNet's.",),
    ),
)


MMSELFSUP = tuple(_zoo_entry(*row) for row in _ZOO)

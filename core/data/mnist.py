"""MNIST: 70,000 handwritten digits of 28 x 28 pixels, published training and test set (LeCun et al. 1998)."""

from __future__ import annotations

from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Progress
from core.data._fetch import announce
from core.data._idx import open_idx, remotes
from core.settings import Settings

_TITLE = "MNIST"
_FILES = remotes(
    "mnist",
    _TITLE,
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte": (9_912_422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        "train-labels-idx1-ubyte": (28_881, "d53e105ee54ea40749a09fcbcd1e9432"),
        "t10k-images-idx3-ubyte": (1_648_877, "9fb629c4189551a2d022fa330f9573f3"),
        "t10k-labels-idx1-ubyte": (4_542, "ec29112dd5afa0611ce80d1b7f02629c"),
    },
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    return open_idx(DATASET, _FILES, location, settings, progress)


DATASET = DatasetSpec(
    key="mnist",
    title=_TITLE,
    kind="image",
    summary="Handwritten digits: 60,000 for training and 10,000 for testing, grey, 28 by 28 pixels.",
    licence="CC BY-SA 3.0, Y. LeCun, C. Cortes, C. Burges (1998)",
    open=_open,
    classes=tuple("0123456789"),
)

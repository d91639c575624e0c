"""Fashion-MNIST: 70,000 pictures of clothes in the form of MNIST (Xiao, Rasul, Vollgraf 2017)."""

from __future__ import annotations

from pathlib import Path

from core.contracts import Dataset, DatasetSpec, Progress
from core.data._fetch import announce
from core.data._idx import open_idx, remotes
from core.settings import Settings

_TITLE = "Fashion-MNIST"
_FILES = remotes(
    "fashion_mnist",
    _TITLE,
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        "train-images-idx3-ubyte": (26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        "train-labels-idx1-ubyte": (29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        "t10k-images-idx3-ubyte": (4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        "t10k-labels-idx1-ubyte": (5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    },
)


def _open(location: Path | None, settings: Settings, progress: Progress = announce) -> Dataset:
    return open_idx(DATASET, _FILES, location, settings, progress)


DATASET = DatasetSpec(
    key="fashion_mnist",
    title=_TITLE,
    kind="image",
    summary="Clothes in the form of MNIST: 60,000 for training and 10,000 for testing, grey, 28 by 28 pixels.",
    licence="MIT, Zalando SE (2017)",
    open=_open,
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)

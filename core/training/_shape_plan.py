"""What a study of shapes is asked for. Needs no torch: forms are made from it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from core.errors import UserFacingError
from core.methods._knobs import check, knob
from core.shapes.observe import Glimpse, Scan
from core.shapes.plan import FieldConfig

_NOT_LEARNED = {"validation", "test", "again", "members", "draws", "strengths", "step", "band"}
_COARSE = Scan(slice_mm=5.0, pixel_mm=2.0, degrees=15.0, blur_mm=2.0, label_noise=0.3, missing=0.4)
_THIRD = Glimpse()


@dataclass(frozen=True, slots=True)
class Config:
    """The defaults are those of vertebrae; ``digits()`` has others."""

    data: Literal["vertebrae", "digits", "mnist"] = knob(
        "vertebrae", "what shapes", choices=("vertebrae", "digits", "mnist")
    )
    shape: tuple[int, ...] = (20, 20, 16)  # nodes of the grid that the encoder sees
    encoder: Literal["latent", "grid", "planes"] = knob("grid", "how", choices=("latent", "grid", "planes"))
    channels: int = knob(8, "of the encoder's first maps", least=4, most=256)
    width: int = knob(32, "units of the decoder's layers", least=4, most=1024)
    blocks: int = knob(5, "of the decoder", least=1, most=20)
    rate: float = knob(0.3, "dropout in the decoder", least=0.01, most=0.9)
    target: Literal["occupancy", "distance"] = knob(
        "occupancy", "what the field learns: inside or not, or how far", choices=("occupancy", "distance")
    )
    tau: float = knob(2.0, "millimetres (pixels) over which a distance tells", least=0.1, most=100.0)
    shapes: int = knob(32, "whole shapes to learn from (A)", least=1, most=100_000)
    given: int = knob(6, "damaged shapes to adapt to (B)", least=1, most=10_000)
    validation: int = knob(4, "further damaged shapes, which choose the anchor's strength", least=1, most=10_000)
    test: int = knob(24, "further damaged shapes, of which the truth is compared", least=1, most=10_000)
    again: int = knob(6, "further whole shapes, which show what was forgotten", least=1, most=10_000)
    hidden: float = knob(
        0.33, "share of what is seen of B that the encoder is not shown while its decoder adapts", least=0.0, most=0.9
    )
    places: int = knob(2048, "places of each shape to learn from", least=8, most=1_000_000)
    near: float = knob(6.0, "millimetres (pixels) to the surface that half of the places keep", least=0.1, most=1e3)
    epochs: int = knob(20, "times that every whole shape is seen", least=1, most=100_000)
    later_epochs: int = knob(20, "times that every place of the damaged ones is seen", least=1, most=100_000)
    batch: int = knob(4, "shapes in one step on A", least=1, most=4096)
    learning_rate: float = knob(2e-3, "highest learning rate on A; on B a quarter of it", least=0.0, most=1.0)
    members: int = knob(4, "networks or thinned copies (M)", least=1, most=64)
    draws: int = knob(20, "of MC dropout", least=2, most=1000)
    strengths: tuple[float, ...] = (1.0, 10.0, 1e2, 1e3, 1e4)  # lambda of the anchor: those that are tried
    step: float = knob(2.5, "millimetres (pixels) between places where answers are compared", least=0.1, most=20.0)
    band: float = knob(
        4.0, "millimetres (pixels) to the other side that count as near the surface", least=0.1, most=1e3
    )
    seed: int = 0
    scan: Scan = _COARSE
    glimpse: Glimpse = _THIRD

    def __post_init__(self) -> None:
        check(self)
        if len(self.shape) != (3 if self.data == "vertebrae" else 2):
            raise UserFacingError(f"A grid of {self.shape} nodes does not fit {self.data}.", code="setting")
        if not self.strengths or min(self.strengths) <= 0:
            raise UserFacingError("The setting strengths needs at least one number above 0.", code="setting")
        _ = self.network  # it has its own conditions

    @property
    def network(self) -> FieldConfig:
        return FieldConfig(
            self.shape, self.encoder, self.channels, width=self.width, blocks=self.blocks, rate=self.rate
        )

    def learned(self) -> Config:
        """The same with all that no single fit depends on as it is by default: studies that share it share fits."""
        return replace(self, **{field.name: field.default for field in fields(self) if field.name in _NOT_LEARNED})

    def count(self, part: str) -> int:
        return {
            "a": self.shapes,
            "b": self.given,
            "validation": self.validation,
            "test": self.test,
            "a test": self.again,
        }[part]


def digits(**changes: object) -> Config:
    """scikit-learn's digits, 8 x 8 pixels, of which a third are seen."""
    defaults: dict[str, object] = {
        "data": "digits",
        "shape": (16, 16),
        "channels": 8,
        "shapes": 400,
        "given": 12,
        "validation": 12,
        "test": 60,
        "again": 40,
        "places": 256,
        "near": 1.0,
        "tau": 0.5,
        "epochs": 30,
        "later_epochs": 400,
        "batch": 16,
        "step": 0.25,
        "band": 1.0,
        "rate": 0.3,
    }
    return Config(**{**defaults, **changes})  # type: ignore[arg-type]

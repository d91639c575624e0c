"""What a field is built as. Needs no torch: forms are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.errors import UserFacingError
from core.methods._knobs import check, knob


@dataclass(frozen=True, slots=True)
class FieldConfig:
    shape: tuple[int, ...] = (32, 32, 32)  # nodes of the input grid; its length is the dimension of space
    encoder: Literal["latent", "grid", "planes"] = knob(
        "grid", "what a place reads its code from", choices=("latent", "grid", "planes")
    )
    channels: int = knob(32, "channels of the first maps, and length of a code", least=4, most=256)
    levels: int = knob(3, "resolutions of the U-Net", least=1, most=6)
    width: int = knob(32, "units of the decoder's layers", least=4, most=1024)
    blocks: int = knob(5, "blocks of the decoder", least=1, most=20)
    rate: float = knob(0.2, "dropout in the decoder", least=0.0, most=0.9)

    def __post_init__(self) -> None:
        check(self)
        if len(self.shape) not in (2, 3) or min(self.shape) < 2 ** (self.levels - 1):
            nodes = " x ".join(map(str, self.shape))
            raise UserFacingError(
                f"A grid of {nodes} nodes was given; it takes two or three sides that can be halved "
                f"{self.levels - 1} times.",
                code="setting",
            )
        if self.encoder == "planes" and self.dim != 3:
            raise UserFacingError("Three planes need a space of three dimensions; choose grid.", code="setting")

    @property
    def dim(self) -> int:
        return len(self.shape)

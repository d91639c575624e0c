"""The weights file of aisfx (Ma and Lerch, ISMIR 2022): a state dict and a table of its nine heads."""

from __future__ import annotations

from typing import Any

from core.backbones import sfx
from core.backbones._drawing import undrawn
from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._contract import Foreign, Format
from core.checkpoints.foreign._refusal import ForeignError, shown
from core.checkpoints.foreign._report import compare, refuse
from core.checkpoints.foreign._tensors import Opened, Tensors, cleaned

_EMBEDDING = "embedding_net."


def read(opened: Opened, asked: Asked) -> Foreign:
    """Only the network: the names of the heads' classes were never published."""
    state, heads = _parts(opened.value)
    tensors = cleaned(state)
    counts = _heads(heads, tensors)
    own = {name: tensor for name, tensor in tensors.by_name.items() if not name.startswith(sfx.PUBLISHED_HEADS)}
    with undrawn():
        network = sfx.Sfx(sfx.Config(), 1)
    wanted = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(_EMBEDDING)}
    report = compare(own, wanted, "")
    refuse(report, "the sound-effects network")
    told = ", ".join(f"{shown(name)} {count}" for name, count in counts.items())
    notes = (f"its {len(counts)} heads were left out, as their classes have no published names ({told})",)
    return Foreign(
        "sfx",
        sfx.Config(),
        own,
        report,
        trained_on="sound-effects libraries",
        licence="CC BY 4.0",
        notes=(*opened.notes, *tensors.notes, *notes),
    )


def _parts(value: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(part, dict) for part in value):
        return value[0], value[1]
    raise ForeignError(
        "The file is not laid out as that of aisfx: a pair of a state dict and a table of heads was expected. "
        "Choose the format it is of.",
        code="layout",
    )


def _heads(table: dict[Any, Any], tensors: Tensors) -> dict[str, int]:
    """Names with their numbers of classes, compared with the shapes of the last layers."""
    counts = {}
    for name, entry in table.items():
        last = None
        if isinstance(entry, (tuple, list)) and len(entry) == 2 and all(type(number) is int for number in entry):
            last = tensors.by_name.get(f"{sfx.PUBLISHED_HEADS}{entry[0]}.4.weight")
        if last is None or last.shape[0] != entry[1]:
            raise ForeignError(
                f"The table of heads says {shown(entry)} for {shown(name)!r}, which no head of the file has; "
                "get another copy.",
                code="classes",
            )
        counts[str(name)] = entry[1]
    return counts


FORMAT = Format("aisfx", "aisfx 0.1.2, the sound-effects network", "", read)

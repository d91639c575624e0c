"""How the tensors of a file compare with those a network has: by name and by shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from core.checkpoints.foreign._asked import Asked
from core.checkpoints.foreign._refusal import ForeignError, shown

_FIRST = 5  # differences of a kind that are listed
_NOT_NEEDED = ("num_batches_tracked",)  # counters: old files have none, and nothing here reads them


@dataclass(frozen=True, slots=True)
class Report:
    """Names are those of the file."""

    matched: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()  # "fc.weight is 527x2048, not 50x2048"
    head_only: bool = False  # everything fits but the classifier

    @property
    def differences(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.shapes)

    @property
    def fits(self) -> bool:
        return self.differences == 0

    def lines(self) -> tuple[str, ...]:
        found = [f"{self.matched:,} tensors fit by name and shape"]
        for title, names in (
            ("missing", self.missing),
            ("not known", self.unexpected),
            ("of other shape", self.shapes),
        ):
            if names:
                more = f", and {len(names) - _FIRST:,} more" if len(names) > _FIRST else ""
                found.append(f"{title}: {'; '.join(names[:_FIRST])}{more}")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        return {
            "matched": self.matched,
            "missing": list(self.missing),
            "unexpected": list(self.unexpected),
            "shapes": list(self.shapes),
            "head_only": self.head_only,
        }


def compare(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], classifier: str, optional: tuple[str, ...] = ()
) -> Report:
    """``classifier`` is the dotted name of the last layer; names that begin with an optional one may be missing."""
    missing = [
        name
        for name in wanted
        if name not in given and not name.endswith(_NOT_NEEDED) and not name.startswith(optional or ("\0",))
    ]
    unexpected = [shown(name) for name in given if name not in wanted]
    differ = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    only = bool(missing or differ) and not unexpected and all(_of(name, classifier) for name in [*missing, *differ])
    shapes = tuple(f"{name} is {_size(given[name])}, not {_size(wanted[name])}" for name in differ)
    matched = sum(name in given for name in wanted) - len(differ)
    return Report(matched, tuple(missing), tuple(unexpected), shapes, head_only=only)


def checked(
    given: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    classifier: str,
    network: str,
    asked: Asked,
    *optional: str,
) -> tuple[dict[str, Tensor], Report]:
    """The tensors of a file for a network, complete; what does not fit is refused with the first differences.

    Without its last layer where only the network is asked for.
    """
    if asked.backbone_only:
        given = {name: tensor for name, tensor in given.items() if not _of(name, classifier)}
        wanted = {name: tensor for name, tensor in wanted.items() if not _of(name, classifier)}
    report = compare(given, wanted, classifier, optional)
    refuse(report, network)
    return dict(given), report


def refuse(report: Report, network: str) -> None:
    told = "; ".join(report.lines()[1:])
    if report.head_only:
        raise ForeignError(
            f"The weights are those of {network} but for the last layer: {told}. Give as many class names as it has, "
            "or --backbone-only to keep the network and train a last layer of your own.",
            code="head",
        )
    if not report.fits:
        raise ForeignError(
            f"The weights are not those of {network}: {told}. Choose the network with --arch.", code="weights"
        )


def _of(name: str, layer: str) -> bool:
    return name.rpartition(".")[0] == layer


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"

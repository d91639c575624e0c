"""What a State holds, as named tensors and plain facts, and back: for checkpoints, resuming and other devices.

Names are paths: ``members.0.bn1.norm.weight``. Config and context are not part of it, because ``init`` needs them to
make the State that ``restored`` fills. Tensors that several modules share appear once.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from core.methods._contract import modules_of

S = TypeVar("S")
_GIVEN = ("config", "context")


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]  # JSON


def held_by(state: Any) -> Held:
    """Detached tensors, not copied, and facts."""
    tensors: dict[str, Tensor] = {}
    facts: dict[str, Any] = {}
    seen: set[int] = set()
    for path, value in _leaves("", state):
        if isinstance(value, nn.Module):
            for name, tensor in value.state_dict(keep_vars=True).items():
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    tensors[f"{path}.{name}"] = tensor.detach()
        elif isinstance(value, Tensor):
            tensors[path] = value.detach()
        else:
            facts[path] = _fact(value)
    return Held(tensors, facts)


def restored(state: S, held: Held) -> S:
    """The State that was held, made from one that ``init`` gave for the same config and network.

    Modules are filled in place, so what members share stays shared; everything else is replaced.
    """
    left = dict(held.tensors)
    made = _rebuilt("", state, type(state), left, held.facts)
    if left:
        raise ValueError(f"{len(left)} tensors belong to another State, such as {next(iter(left))}")
    return made


def moved(state: S, device: torch.device | str) -> S:
    """The same State on a device: modules in place, tensors as copies."""
    for module in modules_of(state):
        module.to(device)
    return _mapped(state, lambda tensor: tensor.to(device))


def in_picture_order(state: S) -> S:
    """The same State with its tensors of four axes laid out with channels last, which is quicker for pictures.

    Tensors of five axes, of volumes, stay as they are: torch refuses this order for them.
    """
    for module in modules_of(state):
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.dim() == 4:
                tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)
    return state


def in_plain_order(state: S) -> S:
    """The same State with every tensor laid out as one that was loaded: it answers with the same bits."""
    for module in modules_of(state):
        module.to(memory_format=torch.contiguous_format)
    return _mapped(state, lambda tensor: tensor.contiguous())


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Modules, tensors and facts with their paths."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if path or field.name not in _GIVEN:
                yield from _leaves(_join(path, field.name), getattr(value, field.name))
    elif isinstance(value, tuple) and not _plain(value):
        for number, part in enumerate(value):
            yield from _leaves(_join(path, str(number)), part)
    else:
        yield path, value


def _rebuilt(path: str, value: Any, kind: Any, left: dict[str, Tensor], facts: Mapping[str, Any]) -> Any:
    """``value`` as the template, or as ``kind`` where the template has nothing there."""
    if path in facts and facts[path] is None:
        return None
    if isinstance(value, nn.Module):
        _fill(path, value, left)
        return value
    if path in left:
        found = left.pop(path)
        return found.to(value.device) if isinstance(value, Tensor) else found
    kind = _dataclass_in(kind) if value is None else type(value)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        given = {
            field.name: getattr(value, field.name)
            if not path and field.name in _GIVEN
            else _rebuilt(_join(path, field.name), getattr(value, field.name, None), hints[field.name], left, facts)
            for field in dataclasses.fields(kind)
        }
        return typing.cast(Any, kind)(**given)
    if f"{path}.0" in left:  # tensors whose number the template need not share
        numbers = itertools.takewhile(lambda n: f"{path}.{n}" in left, itertools.count())
        return tuple([left.pop(f"{path}.{n}") for n in numbers])
    if isinstance(value, tuple) and not _plain(value):
        return tuple(_rebuilt(_join(path, str(n)), part, type(part), left, facts) for n, part in enumerate(value))
    if path not in facts:
        raise ValueError(f"nothing was held of {path}")
    return _value(facts[path])


def _fill(path: str, module: nn.Module, left: dict[str, Tensor]) -> None:
    """Into the module's own tensors. Those that an earlier module shares were filled there."""
    with torch.no_grad():
        for name, tensor in module.state_dict(keep_vars=True).items():
            found = left.pop(f"{path}.{name}", None)
            if found is None:
                continue
            if found.shape != tensor.shape:
                raise ValueError(f"{path}.{name} is {tuple(found.shape)}, not {tuple(tensor.shape)}")
            tensor.copy_(found)


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        new = {name: _mapped(part, change) for name, part in parts.items()}
        return dataclasses.replace(value, **new) if any(new[name] is not parts[name] for name in parts) else value
    if isinstance(value, tuple) and not isinstance(value, nn.Module) and not _plain(value):
        return tuple(_mapped(part, change) for part in value)
    return value


def _dataclass_in(kind: Any) -> Any:
    """The dataclass of a hint such as ``Anchor | None``."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) or typing.get_origin(kind) else (kind,)
    return next((option for option in options if dataclasses.is_dataclass(option)), None)


def _plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(_plain(part) for part in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _fact(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": repr(value)}
    if isinstance(value, tuple):
        return [_fact(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a State holds a {type(value).__name__}, which cannot be kept")


def _value(fact: Any) -> Any:
    if isinstance(fact, dict):
        return float(fact["number"])
    if isinstance(fact, list):
        return tuple(_value(part) for part in fact)
    return fact


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name

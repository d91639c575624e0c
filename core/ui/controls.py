"""What every page asks alike: data, model, samples, seed and device in the side bar, and the one operating point.

All of it stands in the URL, so that a copied link shows the same, and none of it is lost by a change of page.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from core.contracts import Kind
from core.errors import UserFacingError
from core.pipeline.atlas import HELDOUT
from core.store import names
from core.ui import _cached_shell, address, cached, measures, models, running, words
from core.ui.address import Kept
from core.ui.bound import one_of, whole
from core.ui.models import KINDS, ModelFacts

_MOST_DRAWS, _MOST_SEED = 500, 2**31 - 1
_LOOK = 2.0  # seconds between two looks at a worker that starts
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,2})?")


@dataclass(frozen=True, slots=True)
class Choice:
    """What a page is to show, as the side bar says."""

    model: str | None  # None: no model is here
    draws: int = 50
    seed: int = 0
    device: str = "auto"
    data: str = HELDOUT  # or the name of a collection


def _share(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise ValueError(text)
    return value


def _device(text: str) -> str:
    here = [device.key for device in running.runner().seen()]
    if not _DEVICE.fullmatch(text) or (here and text not in ("auto", "cuda", *here)):
        raise ValueError(text)
    return text


_DRAWS = Kept("samples", 50, whole(1, _MOST_DRAWS), f"a whole number from 1 to {_MOST_DRAWS}")
_SEED = Kept("seed", 0, whole(0, _MOST_SEED), f"a whole number from 0 to {_MOST_SEED}")
_DEVICE_KEPT = Kept("device", "auto", _device, "a device of this machine")
_POINT = Kept("keep", 0.8, _share, "a share from 0 to 1", lambda share: f"{share:.4g}")
_MEASURE = Kept("measure", "total", one_of(tuple(measures.WORDS)), "a measure of doubt")


def choice(*, warm: bool = False) -> Choice:
    """Draw the side bar and say what it holds. Call it once a run, outside any fragment.

    ``warm``: the page will ask the model, so have it loaded while the visitor still looks around.
    """
    known = models.model_list()
    with st.sidebar:
        above = st.container()
        model = _model(known)
        about = st.container(gap="small")
        with above:
            data = _data(model.kind if model else None)
        draws = _number("Samples", _DRAWS, 1, _MOST_DRAWS, "How many times the model is asked with other random "
                        "parts of itself. More samples steady the doubts; a model without random parts "
                        "needs one.")  # fmt: skip
        seed = _number(
            "Seed", _SEED, 0, _MOST_SEED, "Where the random parts come from: the same seed, the same answer."
        )
        device = _devices()
        chosen = Choice(model.name if model else None, draws, seed, device, data)
        if model is not None:
            if warm and model.ready:
                running.warm(model.name, device)
            with about:
                looking = running.begun() and not running.runner().seen()
                st.fragment(_about, run_every=_LOOK if looking else None)(model, chosen, looking)
    point()
    measure()  # both, so that all that a link asks in vain is told of at once
    if refused := address.said(refuses=True):
        st.warning("  \n".join(refused), icon=":material/link_off:")
    if said := address.said(refuses=False):
        st.info("  \n".join(said), icon=":material/swap_horiz:")
    address.settle()
    return chosen


def switch_model(name: str, why: str = "") -> None:
    """Another model from now on, said in one line; the page runs anew."""
    chosen = models.facts(name)
    address.put(_kept_model(models.model_list()), name)
    reason = f" {why}" if why else ""
    address.say("model", f"Switched to {words.plain(chosen.title)}, a model for {KINDS[chosen.kind].lower()}.{reason}")
    st.rerun()


def point() -> float:
    """The operating point: the share of items that is kept, 0 to 1. One for all pages."""
    return address.get(_POINT)


def set_point(share: float) -> None:
    address.put(_POINT, round(min(1.0, max(0.0, float(share))), 4))


def measure() -> str:
    """The measure of doubt that the operating point cuts. One for all pages."""
    return address.get(_MEASURE)


def set_measure(name: str) -> None:
    if name in measures.WORDS:
        address.put(_MEASURE, name)


# ---- the side bar ----


def _synced(kept: Kept[Any], value: Any) -> dict[str, Any]:
    """A widget that shows what is kept and keeps what is chosen: its key and callback."""
    key = f"pick-{kept.name}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return {"key": key, "on_change": lambda: address.put(kept, st.session_state[key])}


def _number(label: str, kept: Kept[int], least: int, most: int, tip: str) -> int:
    value = address.get(kept)
    return int(st.number_input(label, least, most, step=1, help=tip, **_synced(kept, value)))


def _data(kind: Kind | None) -> str:
    settings = cached.settings()
    here = names(settings.collections)
    kept = Kept("data", HELDOUT, one_of((HELDOUT, *here)), "a collection that is here")
    value = address.get(kept)
    if value not in (HELDOUT, *here):  # removed since
        address.put(kept, HELDOUT)
        value = HELDOUT
    try:
        titles = _cached_shell.data_list(settings, (str(settings.home), *here) if here else (), kind)
    except UserFacingError:  # one of them is damaged: the page that opens it tells
        titles = {HELDOUT: "Held-out items of the model"}
    return str(
        st.selectbox(
            "Data",
            tuple(dict.fromkeys((*titles, value))),
            format_func=lambda name: titles.get(name) or str(name),
            help="What Map, Retention and Retrieve are about, and where Inspect looks for neighbours.",
            **_synced(kept, value),
        )
    )


def _kept_model(known: tuple[ModelFacts, ...]) -> Kept[Any]:
    first = models.default() or next(iter(known), None)
    here = tuple(one.name for one in known)
    return Kept("model", first.name if first else None, one_of(here), "a model that is here")


def _model(known: tuple[ModelFacts, ...]) -> ModelFacts | None:
    if not known:
        st.info("No trained model is here. Make the ones that come with the app with 'make models'.")
        return None
    kept, by_name = _kept_model(known), {one.name: one for one in known}
    if (value := address.get(kept)) not in by_name:  # removed since
        address.put(kept, kept.default)
        value = kept.default
    kind = by_name[value].kind
    if st.session_state.get("pick-kind") != kind:
        st.session_state["pick-kind"] = kind
    here = [key for key in KINDS if any(one.kind == key for one in known)]
    if len(here) > 1:
        st.segmented_control(
            "Model for", here, format_func=lambda key: KINDS[key], key="pick-kind", required=True, width="stretch",
            on_change=partial(_other_kind, kept),
        )  # fmt: skip
    offered = [one.name for one in known if one.kind == kind]
    st.selectbox(
        "Model",
        offered,
        format_func=lambda name: by_name[name].title + ("" if by_name[name].ready else " (not ready)"),
        **_synced(kept, value),
    )
    return by_name[value]


def _other_kind(kept: Kept[Any]) -> None:
    kind: Kind = st.session_state["pick-kind"]
    if found := models.matching(kind, than=address.get(kept)):
        address.put(kept, found.name)


def _devices() -> str:
    value = address.get(_DEVICE_KEPT)
    seen = running.runner().seen()
    titles = {"auto": "The fastest here", "cpu": "CPU"} | {device.key: device.title for device in seen}
    offered = tuple(dict.fromkeys(("auto", *(device.key for device in seen), "cpu", value)))
    return str(
        st.selectbox(
            "Device",
            offered,
            format_func=lambda key: titles.get(key, key) if key == "auto" else f"{titles.get(key, key)} ({key})",
            **_synced(_DEVICE_KEPT, value),
        )
    )


def _about(model: ModelFacts, chosen: Choice, looking: bool) -> None:
    """One line that is always there, and the rest behind a click."""
    if looking and running.runner().seen():
        st.rerun()  # the devices are known now
    st.caption(f"{KINDS[model.kind]}, {model.scope_words}, learned from {words.plain(model.trained_on)}")
    if not model.ready:
        st.warning(f"This model is not ready: {words.plain(model.why_not or 'a part is missing', 200)}.")
    with st.popover("About this model", icon=":material/badge:", width="stretch"):
        models.card(model, running.described(model.name, chosen.draws, chosen.device))

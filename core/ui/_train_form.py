"""A training of one's own: data, network, method, schedule; every knob comes from the code that it belongs to."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from core.checkpoints.folders import read_card
from core.configs import settings_of
from core.errors import UserFacingError
from core.pipeline import forms as asked
from core.pipeline.forms import Forms, NetworkForm
from core.pipeline.offers import OWN
from core.training.plan import Plan, Recipe, plan_of, refuse_odd
from core.training.recipes import recipes
from core.ui import _cached_train, _train_data, _train_fields, _train_link, _train_start, cached, models, words
from core.ui._train_data import Data
from core.ui.controls import Choice
from core.ui.models import ModelFacts

_DIVISIONS = {
    "split": "Its own splits",
    "fold": "By its folds",
    "held": "Its training part, less some of each class",
    "drawn": "Drawn by chance, recordings kept whole",
}
_FITS = {"fine-tuned": "Train the whole network", "fixed": "Train a head on fixed features"}
_FEW = ("epochs", "batch", "rate", "patience")  # of the schedule, shown at once
_MORE = ("head", "views", "target_folds", "seed")  # of the plan
_STARTED = "train-started"  # in the session: what the button has just led to
_FILLED = ("pretrained", "kind", "name", "scope")  # chosen elsewhere in the form


def show(chosen: Choice) -> None:
    known = recipes()
    keys = [OWN, *(key for key in known if key != OWN)]
    if st.session_state.get("train-base") not in keys:
        st.session_state["train-base"] = OWN
    titles = {key: "nothing in particular" if key == OWN else known[key].title for key in keys}
    base = known[_pick("Begin with the settings of", titles, None, "train-base")]
    try:
        forms = _cached_train.forms()
    except UserFacingError as error:
        st.error(words.plain(str(error), 300), icon=":material/block:")
        return
    data = _train_data.choose(base.plan.data, chosen)
    if data is None:
        return
    settings = [f"data={data.source}"] if data.source != base.plan.data else []
    try:
        near = _near(data, forms, chosen)
        settings += _network(base, data, forms, settings, near)
        settings += _method(base, forms, settings)
        settings += _knobs(base, data, settings)
        plan = plan_of(base, tuple(settings))
        refuse_odd(plan)
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return
    _go(base, plan, data, settings, chosen)


def _pick(label: str, titles: Mapping[str, str], first: str | None, key: str) -> str:
    """One of some things, by its title. ``first`` None: what the session holds under this key."""
    keys = list(titles)
    place = 0 if first is None else keys.index(first)
    return str(st.selectbox(label, keys, place, format_func=lambda one: titles[one], key=key))


# ---- network and start ----


def _near(data: Data, forms: Forms, chosen: Choice) -> ModelFacts | None:
    """Items that came from the map are few: the network that drew it is a better beginning than none."""
    found = _train_link.seen_through(chosen)
    if found is None or data.way != _train_link.WAY or found.kind != data.facts["kind"]:
        return None
    return found if found.backbone in forms.networks else None


def _network(base: Recipe, data: Data, forms: Forms, settings: Sequence[str], near: ModelFacts | None) -> list[str]:
    kind, plan = data.facts["kind"], plan_of(base, tuple(settings))
    offered = {key: one.title for key, one in forms.networks.items() if one.kind in (None, kind)}
    first = plan.backbone if plan.backbone in offered else "convnet" if kind == "audio" else "resnet32"
    wished, own = plan, base.key
    if near is not None:
        wished, first = replace(plan, start=_below(near), fit="fixed"), near.backbone
        own = f"{base.key}-{near.name}"
    left, middle, right = st.columns(3)
    with left:
        key = _pick("Network", offered, first, f"train-network-{own}-{kind}")
    network = forms.networks[key]
    with middle:
        start = _start(own, wished, network, kind)
    with right:
        fits = ["fine-tuned"] if start == "drawn" else list(_FITS)
        fit = str(
            st.radio(
                "Training",
                fits,
                fits.index(wished.fit) if wished.fit in fits else 0,
                key=f"train-fit-{own}-{start}",
                format_func=lambda name: _FITS[name],
            )
        )
    st.caption(words.plain(network.summary, 300))
    found = [f"backbone={key}"] * (key != plan.backbone)
    found += [f"start={start}"] * (start != plan.start) + [f"fit={fit}"] * (fit != plan.fit)
    if start not in ("drawn", "published"):  # as its network was built
        return found + [f"network.{text}" for text in read_card(start, cached.settings()).recipe.get("network", ())]
    return found + _built(base, plan, network, kind)


def _below(near: ModelFacts) -> str:
    """Of heads, which may be several, the one network under them."""
    start = str(read_card(near.name, cached.settings()).recipe.get("start", "drawn"))
    return start if near.scope == "head" and start != "drawn" else near.name


def _start(own: str, plan: Plan, network: NetworkForm, kind: str) -> str:
    titles = {"drawn": "Nothing: weights are drawn"} | ({"published": "Published weights"} if network.published else {})
    titles |= {
        one.name: one.title
        for one in models.model_list()
        if one.kind == kind and one.backbone == network.key and one.ready
    }
    first = plan.start if plan.start in titles else "drawn"
    return _pick("It begins with", titles, first, f"train-start-{own}-{network.key}")


def _built(base: Recipe, plan: Plan, network: NetworkForm, kind: str) -> list[str]:
    """The network's own settings; of timm which one, by a name that can be searched."""
    known = {one.name: one for one in network.settings}
    own = plan.network if plan.backbone == network.key else ()
    filled = [f"kind={kind}"] if "kind" in known and network.kind is None else []
    standing = {**{one.name: str(one.default) for one in known.values()}, **dict(text.split("=", 1) for text in own)}
    if network.key == "timm_vision":
        names = _cached_train.timm_names()
        first = next((text.partition("=")[2] for text in own if text.startswith("name=")), "resnet18")
        name = st.selectbox(
            f"Which of timm's {words.count(len(names))} networks",
            names,
            names.index(first),
            filter_mode="contains",
            key=f"train-timm-{base.key}",
            help="Type a part of a name to search, such as convnext or mobilenet.",
        )
        filled.append(f"name={name}")
    shown = [one for one in known.values() if one.name not in _FILLED and "." not in one.name]
    with st.expander("Settings of the network", icon=":material/account_tree:"):
        shown = _train_fields.with_defaults(shown, own)
        found = [f"network.{text}" for text in filled if standing[text.partition("=")[0]] != text.partition("=")[2]]
        return found + list(_train_fields.changed(shown, "network.", f"train-{base.key}-{network.key}"))


# ---- method ----


def _method(base: Recipe, forms: Forms, settings: Sequence[str]) -> list[str]:
    plan = plan_of(base, tuple(settings))
    wanted = st.session_state.pop("train-base-method", None)
    state = f"train-method-{base.key}"
    if wanted in forms.methods:
        st.session_state[state] = wanted
    elif state not in st.session_state:
        st.session_state[state] = plan.method
    key = _pick("Method", {key: one.title for key, one in forms.methods.items()}, None, state)
    method = forms.methods[key]
    st.caption(f"{words.plain(method.summary[:1].upper() + method.summary[1:], 300)} [The paper]({method.paper})")
    found = [f"method={key}"] * (key != plan.method)
    if plan.fit == "fine-tuned" and method.scopes == ("head",):
        found.append("settled=yes")
        st.caption("This method fits a head: the network is first trained plainly, then the head on top of it.")
    with st.expander(f"Settings of {method.title}", icon=":material/tune:", expanded=True):
        shown = [one for one in method.settings if one.name not in _FILLED]
        given = plan_of(base, (*settings, *found)).config
        return found + list(
            _train_fields.changed(_train_fields.with_defaults(shown, given), "config.", f"train-{base.key}-{key}")
        )


# ---- folds, schedule, augmentation ----


def _knobs(base: Recipe, data: Data, settings: Sequence[str]) -> list[str]:
    plan = plan_of(base, tuple(settings))
    found = _division(plan, data)
    key = f"train-{base.key}-{plan.method}-{plan.fit}"
    schedule = settings_of(plan.schedule)
    found += _train_fields.changed([one for one in schedule if one.name in _FEW], "schedule.", key)
    with st.expander("More of the schedule", icon=":material/schedule:"):
        found += _train_fields.changed([one for one in schedule if one.name not in _FEW], "schedule.", key)
        found += _train_fields.changed([one for one in settings_of(plan) if one.name in _MORE], "", key)
    with st.expander("Augmentation", icon=":material/auto_fix_high:"):
        found += _train_fields.changed(settings_of(plan.augment), "augment.", key)
    return found


def _division(plan: Plan, data: Data) -> list[str]:
    """Only ways that these data allow; folds by their numbers."""
    offered = {name: title for name, title in _DIVISIONS.items() if _allowed(name, data)}
    first = plan.division.by if plan.division.by in offered else next(iter(offered))
    left, middle, right = st.columns(3)
    with left:
        by = _pick("Who trains, who judges", offered, first, f"train-by-{data.source}-{first}")
    found = [f"division.by={by}"] * (by != plan.division.by)
    if by == "fold":
        tests = plan.division.test_fold if plan.division.test_fold in data.folds else data.folds[0]
        with middle:
            test = int(
                st.selectbox("Fold that judges", data.folds, data.folds.index(tests), key=f"train-test-{data.source}")
            )
        rest: list[Any] = [None, *(fold for fold in data.folds if fold != test)]
        with right:
            held = st.selectbox(
                "Fold that validates",
                rest,
                1,
                key=f"train-validation-{data.source}-{test}",
                format_func=lambda fold: "none" if fold is None else str(fold),
                help="It draws the curve of accuracy and calibrates; without one all others train.",
            )
        found += [f"division.test_fold={test}"] * (test != plan.division.test_fold)
        found += [f"division.validation_fold={held}"] * (held != plan.division.validation_fold)
    elif by == "held":
        with middle:
            count = int(
                st.number_input("Of each class held out", 1, None, min(plan.division.held, 50), key="train-held")
            )
        found += [f"division.held={count}"] * (count != plan.division.held)
    elif by == "drawn":
        with middle:
            st.caption("Of each class 15 % of the recordings judge and as many validate.")
    return found


def _allowed(by: str, data: Data) -> bool:
    if by == "fold":
        return len(data.folds) > 1
    return by == "drawn" or "train" in data.splits


# ---- off it goes ----


def _go(base: Recipe, plan: Plan, data: Data, settings: Sequence[str], chosen: Choice) -> None:
    stem = f"{data.name}-{plan.method}".replace("_", "-").lower()
    stem = "".join(c for c in stem if c.isascii() and (c.isalnum() or c == "-")).strip("-")[:50] or "mine"
    name = st.text_input(
        "Name of the model", _train_start.free_name(stem), max_chars=64, key=f"train-name-{stem}"
    ).strip()
    said = _train_start.words_of(base.key, name, settings, chosen)
    st.code("python -m core " + shlex.join(said), language="bash", wrap_lines=True)
    if st.button("Train it", type="primary", icon=":material/play_arrow:", key="train-own", disabled=not name):
        try:
            with st.spinner("Looking at these settings"):
                told = asked.check(said, cached.settings())
        except UserFacingError as error:
            st.error(words.plain(str(error), 400), icon=":material/block:")
            return
        if told["there"]:
            _train_start.see(name)
            st.session_state[_STARTED] = f"{name} was trained before"
        elif _train_start.begin(said, name):
            st.session_state[_STARTED] = f"{name} has started"
        st.rerun()
    if begun := st.session_state.pop(_STARTED, ""):
        st.success(f"{words.plain(begun)}: it is at the top of this page.", icon=":material/arrow_upward:")

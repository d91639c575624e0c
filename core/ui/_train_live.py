"""One training on the page: how far it is, its curves as they come, and buttons that do what they say."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import streamlit as st

from core import jobs as running
from core.errors import UserFacingError
from core.pipeline import run_exports, selected
from core.pipeline.runs import Curves, Run, curves, run_of, table, throw_away, want
from core.store import names
from core.ui import _train_charts, address, bound, cached, diagnosis, jobs, models, plot, shell, tables, words
from core.ui.address import Kept

_EVERY = 2.0  # seconds between two looks at a training that runs: to draw its curves takes a quarter of a core from it
_LOOK = 3.0  # and at one that stands still
_STOPS = 3.0  # seconds that a cancel waits for the end; a later one comes by itself
SEEN = "train-seen"  # in the session: trainings that this visitor saw running, whose end is to be seen, too
_SAID = "train-said"  # in the session: what could not be done
_WORDS = {
    "queued": ":material/hourglass_empty: waits its turn",
    "running": ":material/progress_activity: runs",
    "done": ":green[:material/check:] done",
    "paused": ":material/pause_circle: paused",
    "cancelled": ":material/cancel: cancelled",
    "lost": ":material/help: broken off",
    "failed": ":red[:material/error:] failed",
    "refused": ":red[:material/block:] refused",
    "unfinished": ":material/pause_circle: not finished",
}


@dataclass(frozen=True, slots=True)
class _Deed:
    """What a button does to a training."""

    key: str
    label: str
    icon: str
    help: str


_PAUSE = _Deed("pause", "Pause", "pause", "It saves itself at once and can go on from there at any time.")
_RESUME = _Deed("resume", "Resume", "play_arrow", "The same command again: it goes on where it was saved.")
_CANCEL = _Deed("cancel", "Cancel", "close", "It stops, and what it has learned so far is thrown away.")
_DISCARD = _Deed("discard", "Throw away", "delete", "Its measurements and what it saved are removed.")


# the one that is shown; empty: the one that runs
RUN = Kept("run", "", bound.named(100), "a training that was begun here")


def show(run: Run) -> None:
    """All of one training. The page runs anew when its state changes."""
    with st.container(border=True, key=f"train-run-{run.name}"):
        if run.live:
            st.fragment(_live, run_every=_EVERY)(run.name, run.state)
        else:
            _ended(run)
            if run.state != "done":
                st.fragment(_follow, run_every=_LOOK)(run.name, run.state)


def _follow(name: str, before: str) -> None:
    """Another visitor, or a terminal, may go on with it."""
    run = run_of(name, cached.settings())
    if run is None or run.state != before:
        st.rerun()


def _live(name: str, before: str) -> None:
    run = run_of(name, cached.settings())
    if run is None or run.state != before:
        st.rerun()
    assert run is not None
    _head(run)
    now = run.now
    if now is not None:
        at, _ = curves(run).of("loss")
        epoch = f"epoch {at[-1]:.1f} of {run.epochs}: " if len(at) and run.epochs and now.stage == "train" else ""
        st.progress(min(1.0, now.done / now.total) if now.total else 0.0, text=epoch + jobs.told(now))
    _buttons(run)
    _curves(run, "live")


def _head(run: Run) -> None:
    plan, data = run.plan, run.about.get("title") or run.plan.get("data", "")
    parts = [f"{words.plain(str(plan.get('method', '')))} on {words.plain(str(plan.get('backbone', '')))}"] * bool(plan)
    parts += [f"learns {words.plain(str(data), 60)}"] * bool(data)
    st.subheader(f"{words.plain(run.name)}", anchor=False)
    st.markdown(" · ".join([_WORDS[run.state], *parts, f"recipe {words.plain(run.recipe)}"]))


def _buttons(run: Run) -> None:
    if run.thrown:
        st.caption(":material/delete: It stops, and is thrown away when it has.")
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for deed in _deeds(run):
            st.button(deed.label, icon=f":material/{deed.icon}:", key=f"{deed.key}-{run.name}", on_click=_act,
                      args=(run, deed), help=deed.help)  # fmt: skip
        if not run.live:
            st.button("Close", icon=":material/close:", key=f"close-{run.name}", type="tertiary", on_click=close,
                      args=(run.name,), help="It stays in the list below.")  # fmt: skip
        if run.job is not None:
            with st.popover("Command", icon=":material/terminal:", type="tertiary"):
                st.code("python -m core " + shlex.join(run.job.words), language="bash", wrap_lines=True)
                st.caption("The same words in a terminal are the same training.")
    if said := st.session_state.pop(f"{_SAID}-{run.name}", ""):
        st.error(words.plain(said, 300), icon=":material/block:")


def _deeds(run: Run) -> tuple[_Deed, ...]:
    """What can be done with it now."""
    if run.live:
        return _PAUSE, _CANCEL
    if run.state == "done":
        return ()
    return (_DISCARD,) if run.job is None else (_RESUME, _DISCARD)


def _act(run: Run, deed: _Deed) -> None:
    """Runs before the page does."""
    settings = cached.settings()
    try:
        if deed is _RESUME and run.job is not None:
            want(run.name, settings)
            running.resume(settings, run.job)
        elif deed is _PAUSE and run.job is not None:
            running.cancel(run.job, pause=True)
        else:
            throw_away(run, wait=_STOPS)
            close(run.name)
    except UserFacingError as error:
        st.session_state[f"{_SAID}-{run.name}"] = str(error)


def close(name: str) -> None:
    st.session_state.setdefault(SEEN, {}).pop(name, None)
    if address.get(RUN) == name:
        address.put(RUN, "")


# ---- curves ----


def _curves(run: Run, where: str) -> Curves:
    """Nothing where nothing was measured."""
    measured, dark = curves(run), shell.is_dark()
    if not len(measured):
        if run.about.get("gathers"):
            st.caption("This method gathers statistics in one pass, so there is no curve to watch.")
        elif run.live and run.plan.get("settled"):
            st.caption("The network or its head is first trained plainly; the curves begin with the method.")
        return measured
    losses, quality = _train_charts.loss_lines(measured, dark), _train_charts.quality_of(measured)
    left, right = st.columns(2, gap="medium")
    key = f"{where}-{run.name}"
    if losses:
        with left:
            finding = _train_charts.loss_finding(measured)
            figure = _train_charts.curves_figure(losses, "loss in nats", run.epochs, dark)
            plot.show(figure, f"loss-{key}", alt=f"Loss by epoch. {finding}", name=f"loss-{run.name}")
            st.caption(finding)
    with right:
        _quality(run, measured, quality, key)
    _more(run, measured, key)
    return measured


def _quality(run: Run, measured: Curves, quality: str | None, key: str) -> None:
    finding = _train_charts.quality_finding(measured, len(run.classes))
    if quality is not None:
        dark, said = shell.is_dark(), _train_charts.said_quality(quality)
        line = plot.Curve(*measured.of(quality), "validation", plot.CATEGORIES[2], says="%{y:.1%} at epoch %{x:.3g}")
        figure = _train_charts.curves_figure([line], said, run.epochs, dark, share=True)
        plot.show(figure, f"quality-{key}", alt=f"{said} by epoch. {finding}", name=f"quality-{run.name}")
    st.caption(finding)


def _more(run: Run, measured: Curves, key: str) -> None:
    """The KL of a distribution over weights, and what is taken for what."""
    counted, dark = table(run), shell.is_dark()
    left, right = st.columns(2, gap="medium")
    epochs, values = measured.of("kl")
    if len(values):
        with left:
            finding = _train_charts.kl_finding(measured)
            line = plot.Curve(epochs, values, "KL", plot.CATEGORIES[3], says="%{y:.4g} nats at epoch %{x:.3g}")
            figure = _train_charts.curves_figure([line], "KL in nats", run.epochs, dark)
            plot.show(figure, f"kl-{key}", alt=f"KL by epoch. {finding}", name=f"kl-{run.name}")
            st.caption(finding)
    if counted is not None:
        with right if len(values) else left:
            finding = _train_charts.table_finding(counted, run.classes)
            figure = _train_charts.table_figure(counted, run.classes, dark)
            plot.show(figure, f"table-{key}", alt=f"What is taken for what. {finding}", name=f"confusion-{run.name}")
            st.caption(finding)


# ---- ended ----


def _ended(run: Run) -> None:
    _head(run)
    if run.now is not None and run.state in ("failed", "refused", "lost"):
        st.error(words.plain(run.now.message, 400), icon=":material/block:")
        if run.state == "failed" and run.job is not None:
            with st.expander("What it printed", icon=":material/article:"):
                st.code(running.log_of(run.job, lines=20), language=None)
    if run.has_model:
        _finished(run)
    _buttons(run)
    measured = _curves(run, "ended")
    if len(measured):
        downloads([run], run.name)


def _finished(run: Run) -> None:
    """Its card, and what to do with it next."""
    try:
        one = models.facts(run.name)
    except UserFacingError as error:
        st.warning(words.plain(str(error), 300))
        return
    card, doubt = st.columns([3, 2], gap="medium")
    with card:
        models.card(one, None)
    with doubt:
        diagnosis.card(run.name)
    origin = selected.origin(str(run.plan.get("data", "")), cached.settings())
    data = origin if origin in names(cached.settings().collections) else None
    ways = {"Inspect": "Inspect with it", "Map": "See its map", "Retention": "How far its doubt helps"}
    ways["Compare"] = "Compare it with others" if data is None else f"Compare it on {words.plain(data, 40)}"
    with st.container(horizontal=True, gap="small"):
        for file in (file for file in shell.page_files() if file.title in ways):
            query = {"model": run.name} | ({"data": data} if data and file.title == "Compare" else {})
            st.page_link(f"pages/{file.path.name}", label=ways[file.title], icon=file.icon, query_params=query)


def downloads(found: list[Run], key: str) -> None:
    """Measurements as CSV and Parquet, and as the event files of TensorBoard where its package is installed."""
    names = "-".join(run.name for run in found)[:60]
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        about = {"recipe": found[0].recipe} if len(found) == 1 else {}
        tables.downloads(lambda: run_exports.columns(found), f"curves-{key}", about=about, name=f"training-{names}")
        if run_exports.can_write_events():
            st.download_button(
                "TensorBoard",
                lambda: run_exports.zip_of_events(found),
                f"training-{names}-events.zip",
                "application/zip",
                key=f"events-{key}",
                on_click="ignore",
                icon=":material/download:",
                type="tertiary",
            )
        else:
            st.caption("Event files for TensorBoard need its package: pip install tensorboard.")

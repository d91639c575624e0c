"""A picture with holes: most of its pixels erased, and filled in by colour fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.errors import UserFacingError
from core.pipeline.damaged import SIDE
from core.pipeline.reconstruct import TITLES, Painting
from core.shapes.colours import Config, Painted
from core.ui import _cached_shapes, address, bound, cached, palette, plot, report, samples, shell, tables, words
from core.ui._shapes_wait import waited
from core.ui.address import Kept
from core.ui.report import Chart, Report

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LEFT = Kept("shape-left", 10, bound.whole(2, 50), "a whole number from 2 to 50")
_HEIGHT = 200
_LEAST = 8  # pixels of the shorter side
_SCRIPT = '''"""A picture with holes, filled in again. Run it in the folder of the app: python picture.py"""

import numpy as np
from PIL import Image

from core.pipeline.reconstruct import Studio
from core.settings import load
from core.shapes.colours import Config

picture = Image.open("picture.png").convert("RGB")  # yours
picture.thumbnail(({side}, {side}))
studio = Studio(load())
for answer in studio.paint(np.asarray(picture), {config!r}).answers:
    print(answer.key, f"PSNR {{answer.psnr:.2f}} dB, rank correlation {{answer.ranks}}, {{answer.seconds:.1f}} s")
studio.close()
'''


def show() -> None:
    st.caption(
        "A small network that answers with a colour for every place is fitted to the few pixels that are left: the "
        "idea of a radiance field, in the plane. Full radiance fields are not covered here."
    )
    pixels, name = _pixels()
    with bound.telling():
        st.slider("Pixels that are left", 2, 50, format="%d %%", **bound.widget(_LEFT))
    if pixels is None:
        return
    config = Config(kept=address.get(_LEFT) / 100)
    studio, begin = _cached_shapes.studio(), "Fitting; about six seconds on a free core."
    found = waited(begin, lambda progress, place: studio.paint(pixels, config, progress, place))
    if found is not None:
        _drawn(found, config, name)


def _pixels() -> tuple[np.ndarray | None, str]:
    left, right = st.columns(2)
    pictures = {sample.name: sample for sample in samples.offered() if sample.data == "toybox"}
    with left:
        name = str(st.selectbox("A picture made here", list(pictures), key="shape-sample"))
    with right:
        given = st.file_uploader("Or one of yours", type=["png", "jpg", "jpeg", "webp", "heic"], key="shape-picture")
    try:
        raw = given.getvalue() if given is not None else cached.item_bytes("toybox", pictures[name].item)
        media = cached.media(raw)
        if media.kind != "image":
            raise UserFacingError("This is no picture; send a photo as PNG, JPEG, WebP or HEIC.", code="kind")
        return _small(media.samples), given.name if given is not None else name
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None, ""


def _small(pixels: np.ndarray) -> np.ndarray:
    from PIL import Image

    picture = Image.fromarray(np.asarray(pixels))
    picture.thumbnail((SIDE, SIDE))
    if min(picture.size) < _LEAST:
        raise UserFacingError("This picture is too narrow to be filled in; send one that is no strip.", code="size")
    return np.asarray(picture)


def _drawn(found: Painting, config: Config, name: str) -> None:
    finding = finding_of(found)
    st.markdown(f"**{words.plain(finding, 400)}**")
    top = max(float(answer.doubt.max()) for answer in found.answers) or 1.0
    columns = st.columns(2 + len(found.answers))
    with columns[0]:
        _picture("The picture", found.pixels)
    with columns[1]:
        share = words.percent(float(found.left.mean()))
        _picture(f"{share} of its pixels", np.where(found.left[..., None], found.pixels, 1.0))
    for column, answer in zip(columns[2:], found.answers, strict=True):
        with column:
            _picture(TITLES[answer.key], answer.mean)
            st.caption(_under(answer))
            if answer.ranks is not None:
                said = f"Where the members of {TITLES[answer.key]} disagree"
                figure = doubt_figure(answer, top, shell.is_dark())
                plot.show(figure, f"shape-{answer.key}-doubt", alt=said, name=f"doubt-{answer.key}")
                st.caption(f"{said}: lighter is more.")
    _taken(found, config, name, finding, top)


def _taken(found: Painting, config: Config, name: str, finding: str, top: float) -> None:
    table = {
        "method": [TITLES[answer.key] for answer in found.answers],
        "PSNR of erased pixels, dB": [answer.psnr for answer in found.answers],
        "rank correlation of doubt and error": [answer.ranks for answer in found.answers],
        "seconds": [answer.seconds for answer in found.answers],
    }
    about = {"picture": name, "left": f"{config.kept:g}", "seed": str(config.seed)}
    tables.show(table, "shape-colours", alt="Table of the methods on this picture.", about=about, name="picture")
    script = _SCRIPT.format(side=SIDE, config=config)
    charts = tuple(
        Chart(TITLES[one.key], doubt_figure(one, top, dark=False), _under(one), "Where its members disagree.")
        for one in found.answers
        if one.ranks is not None
    )
    report.downloads(
        lambda: Report("A picture with holes", (finding,), charts, about, script), "picture", "picture",
        script=lambda: script,
    )  # fmt: skip


def _picture(title: str, pixels: np.ndarray) -> None:
    st.markdown(f"**{title}**")
    large = np.kron((np.clip(pixels, 0, 1) * 255).astype(np.uint8), np.ones((5, 5, 1), np.uint8))
    st.image(large, width="stretch", alt=title)


def _under(answer: Painted) -> str:
    ranks = "" if answer.ranks is None else f", doubt follows error with a rank correlation of {answer.ranks:.2f}"
    return f"{answer.psnr:.1f} dB on the erased pixels{ranks}; {words.seconds(answer.seconds)}."


def finding_of(found: Painting) -> str:
    by = {answer.key: answer for answer in found.answers}
    thinned, whole = by["free"], by["ensemble"]
    apart = thinned.psnr - whole.psnr
    way = "closer to" if apart > 0 else "further from"
    near = "as close to the truth as" if abs(apart) < 0.1 else f"{abs(apart):.1f} dB {way} the truth than"
    ranks = [f"{one.ranks:.2f}" if one.ranks is not None else "–" for one in (thinned, whole)]
    return (
        f"Dropsembles is {near} the deep ensemble at {words.percent(thinned.seconds / whole.seconds)} of its time; its "
        f"doubt follows its errors with a rank correlation of {ranks[0]}, the ensemble's with {ranks[1]}."
    )


def doubt_figure(answer: Painted, top: float, dark: bool) -> Figure:
    from plotly import graph_objects as go

    heat = go.Heatmap(z=answer.doubt, zmin=0.0, zmax=top, colorscale=plot.ramp(dark), showscale=False,
                      hovertemplate="members differ by %{z:.2f} of full colour<extra></extra>")  # fmt: skip
    figure = go.Figure(heat, palette.layout(dark, _HEIGHT))
    hidden = {"showgrid": False, "showticklabels": False, "ticks": "", "constrain": "domain"}
    figure.update_xaxes(**hidden)
    figure.update_yaxes(**hidden, autorange="reversed", scaleanchor="x")
    figure.update_layout(margin={"l": 4, "r": 4, "t": 4, "b": 4})
    return figure

"""The map to take along: the picture that can be zoomed, the most doubtful items, and a script that finds it again."""

from __future__ import annotations

import numpy as np

from core.pipeline import plain_table
from core.pipeline.atlas import HELDOUT, Atlas
from core.ui import _cached_atlas, _map_paint, _map_words, address, palette, plot, report, words
from core.ui.report import Chart, Listing, Report

_MOST_POINTS, _LISTED = 20_000, 50
_SCRIPT = '''"""The items of Penumbra's map again, as a table. Run it in the folder of the app: python {stem}.py

{said}
"""

from core.pipeline.atlas import open_atlas
from core.settings import load

settings = load()  # PENUMBRA_HOME and PENUMBRA_CHECKPOINTS say where models and collections are
model, data = {model!r}, {data!r}
atlas = open_atlas(data, model, settings, draws={draws!r}, seed={seed!r})
{map}chosen = {chosen}  # ids; None: every item
rows = [row for row, id_ in enumerate(atlas.ids) if chosen is None or id_ in chosen]
measures = list(atlas.doubts)
print("id", "label", "answer", "x", "y", *measures, sep="\\t")
for row in rows:
    place = int(atlas.predicted[row])
    x, y = (None, None) if atlas.points is None else atlas.points[row].tolist()
    answer = atlas.classes[place] if place >= 0 else None
    doubts = [f"{{atlas.doubts[name][row]:.6g}}" for name in measures]
    print(atlas.ids[row], atlas.label_names[row], answer, x, y, *doubts, sep="\\t")
'''
_MAP = """options = MapOptions({neighbours!r}, {min_dist!r}, {metric!r}, {seed!r})
drawn = next((one for one in atlas.maps if one.options == options), None)
atlas = atlas.on(drawn or {draw})
"""


def downloads(atlas: Atlas, rows: np.ndarray) -> None:
    """Of the selection, or of everything where nothing is selected."""
    report.downloads(
        lambda: report_of(atlas, rows, script_of(atlas, rows)),
        "map-report",
        f"map-{atlas.name}",
        script=lambda: script_of(atlas, rows),
    )


def script_of(atlas: Atlas, rows: np.ndarray) -> str:
    held = atlas.source == HELDOUT
    chosen = "None"
    if len(rows) < len(atlas):
        chosen = "{\n" + "".join(f"    {atlas.ids[row]!r},\n" for row in rows.tolist()) + "}"
    text = _SCRIPT.format(
        stem=f"map-{atlas.name}",
        said=f"{atlas.title}, {atlas.model}, {atlas.draws} draws with seed {atlas.seed}; data {atlas.version[:16]}.",
        model=atlas.model,
        data=HELDOUT if held else atlas.name,
        draws=None if held else atlas.draws,
        seed=None if held else atlas.seed,
        map="" if atlas.drawn is None else _drawing(atlas, held),
        chosen=chosen,
    )
    if atlas.drawn is None:
        return text
    walk = "draw_heldout" if held else "draw_map"
    loaded = "from core.maps.draw import MapOptions\nfrom core.pipeline.atlas import open_atlas\n"
    return text.replace(
        "from core.pipeline.atlas import open_atlas\n", f"{loaded}from core.pipeline.map import {walk}\n"
    )


def _drawing(atlas: Atlas, held: bool) -> str:
    assert atlas.drawn is not None
    options = atlas.drawn.options
    return _MAP.format(
        neighbours=options.neighbours,
        min_dist=options.min_dist,
        metric=options.metric,
        seed=options.seed,
        draw="draw_heldout(model, settings, options)" if held else "draw_map(data, settings, options)",
    )


def report_of(atlas: Atlas, rows: np.ndarray, script: str) -> Report:
    by = address.get(_map_paint.way(atlas))
    by = by if by in _map_paint.ways(atlas) else "total"
    parts: list[Chart | Listing] = []
    if atlas.points is not None:
        parts.append(_picture(atlas, rows[np.isfinite(atlas.points[rows]).all(axis=1)], by))
    parts.append(_most_doubtful(atlas, rows))
    finding = _map_words.finding(atlas, rows, by)
    sentences = [f"{_map_words.things(atlas, len(rows))} of {atlas.title}, seen through {atlas.model}.", finding]
    if len(rows) < len(atlas):
        sentences.append(f"They were selected among {words.count(len(atlas))}.")
    return Report(f"Map of {atlas.title}", tuple(sentences), tuple(parts), plain_table.about(atlas), script)


def _picture(atlas: Atlas, rows: np.ndarray, by: str) -> Chart:
    assert atlas.points is not None
    some = rows
    if len(rows) > _MOST_POINTS:
        some = rows[np.linspace(0, len(rows) - 1, _MOST_POINTS).round().astype(np.int64)]
    points = atlas.points[some]
    dots = plot.Points(
        points[:, 0], points[:, 1], [atlas.ids[row] for row in some.tolist()],
        _map_paint.coloured(atlas, some, by, False), _map_paint.sizes(None, len(some), None),
    )  # fmt: skip
    figure = plot.points_figure(dots, dark=False, height=620)
    figure.data[0].text = [f"{atlas.ids[row]}: {atlas.label_names[row] or 'no label'}" for row in some.tolist()]
    figure.data[0].hovertemplate = "%{text}<extra></extra>"
    figure.update_layout(font={"color": palette.palette(False).ink})
    finding = _map_words.finding(atlas, rows, by)
    if len(some) < len(rows):
        finding += f" Drawn: {words.count(len(some))} of {words.count(len(rows))}, spread evenly."
    title = f"Coloured by {_map_paint.ways(atlas)[by].lower()}"
    return Chart(title, figure, finding, f"Map of {len(some)} items, those that the model finds alike close together.")


def _most_doubtful(atlas: Atlas, rows: np.ndarray) -> Listing:
    codes, names = _cached_atlas.codes(atlas), list(atlas.doubts)
    values = np.nan_to_num(atlas.doubts["total"][rows], nan=-np.inf)
    chosen = rows[np.argsort(-values, kind="stable")[:_LISTED]].tolist()
    cells = []
    for row in chosen:
        place = int(atlas.predicted[row])
        answer = atlas.classes[place] if place >= 0 else "–"
        doubts = (words.figure(float(atlas.doubts[name][row])) for name in names)
        cells.append((atlas.ids[row], atlas.label_names[row] or "–", answer, codes[row], *doubts))
    head = ("item", "label", "answer", "verdict", *names)
    return Listing(f"The {len(cells)} with most doubt", head, tuple(cells))

"""A view to take along: one HTML file that asks nothing of any network, and a short script that computes it again.

The pictures are live: the plotly.min.js of the installed wheel is in the file, and a policy in its head forbids every
request. Texts are escaped; figures travel as data.
"""

from __future__ import annotations

import html
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)
_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1B2430; background: #fff; margin: 2rem auto; max-width: 1080px;
  padding: 0 1rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; white-space: nowrap; }
th, td { border-bottom: 1px solid #E6EAEE; padding: .3rem .7rem; text-align: left; }
th { border-bottom: 2px solid #5A6270; }
pre { background: #F4F6F8; padding: 1rem; overflow-x: auto; font-size: .85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .9rem; }
dt { color: #5A6270; } dd { margin: 0; overflow-wrap: anywhere; }
"""
_DRAW = """
for (const place of document.querySelectorAll("script[type='application/json']")) {
  const figure = JSON.parse(place.textContent), target = document.getElementById(place.dataset.target);
  Plotly.newPlot(target, figure.data, figure.layout, {displaylogo: false, responsive: true,
    modeBarButtonsToRemove: ["sendChartToCloud"], toImageButtonOptions: {format: "svg"}});
}
"""


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """A figure drawn for light ground, what it finds, and what one who does not see it is told."""

    title: str
    figure: Figure
    finding: str
    alt: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of texts, the first row being its head."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    title: str
    sentences: tuple[str, ...]
    parts: tuple[Chart | Listing, ...]
    about: Mapping[str, str]  # model, data, fingerprint, seed ...
    script: str


def html_of(report: Report) -> str:
    """The whole file."""
    body = [f"<h1>{_safe(report.title)}</h1>", *(f"<p>{_safe(one)}</p>" for one in report.sentences)]
    for number, part in enumerate(report.parts):
        body.append(_chart(part, number) if isinstance(part, Chart) else _listing(part))
    if report.script:
        body += ["<h2>The same numbers again</h2>", f"<pre><code>{_safe(report.script)}</code></pre>"]
    body += ["<h2>What this stands on</h2>", _facts({**report.about, **provenance()})]
    library = f"<script>{_library()}</script>" if any(isinstance(part, Chart) for part in report.parts) else ""
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_safe(report.title)}</title><style>{_STYLE}</style></head><body><main>",
            *body,
            f"</main>{library}<script>{_DRAW}</script></body></html>",
        )
    )


def provenance() -> dict[str, str]:
    """When and with what a report was made."""
    found = {"made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), "Python": platform.python_version()}
    return found | {name: version(name) for name in ("numpy", "plotly", "streamlit", "torch")}


def downloads(make: Callable[[], Report], key: str, name: str, *, script: Callable[[], str]) -> None:
    """Two buttons; what they give is made when they are pressed."""
    with st.container(horizontal=True, gap="small", width="content"):
        st.download_button(
            "HTML report",
            lambda: html_of(make()).encode(),
            f"{name}.html",
            "text/html",
            key=f"{key}-html",
            on_click="ignore",
            icon=":material/description:",
            type="tertiary",
        )
        st.download_button(
            "Script",
            script,
            f"{name}.py",
            "text/x-python",
            key=f"{key}-script",
            on_click="ignore",
            icon=":material/code:",
            type="tertiary",
        )


def _chart(part: Chart, number: int) -> str:
    figure = part.figure.to_dict()
    figure["layout"] = {**figure.get("layout", {}), "paper_bgcolor": "#fff", "plot_bgcolor": "#fff", "autosize": True}
    height = int(figure["layout"].get("height") or 360)
    return (
        f"<h2>{_safe(part.title)}</h2><figure>"
        f'<div id="figure-{number}" role="img" aria-label="{_safe(part.alt)}" style="height:{height}px"></div>'
        f'<script type="application/json" data-target="figure-{number}">{_json(figure)}</script>'
        f"<figcaption>{_safe(part.finding)}</figcaption></figure>"
    )


def _listing(part: Listing) -> str:
    head = "".join(f'<th scope="col">{_safe(cell)}</th>' for cell in part.head)
    rows = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in part.rows)
    note = f"<p>{_safe(part.note)}</p>" if part.note else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<h2>{_safe(part.title)}</h2><div class="wide" tabindex="0">{table}</div>{note}'


def _facts(facts: Mapping[str, str]) -> str:
    return "<dl>" + "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(text)}</dd>" for name, text in facts.items()) + "</dl>"


def _safe(text: str) -> str:
    return html.escape(str(text))


def _json(figure: Mapping[str, object]) -> str:
    """Inside a script element nothing but its own end may look like one."""
    from plotly.utils import PlotlyJSONEncoder

    return json.dumps(figure, cls=PlotlyJSONEncoder, separators=(",", ":")).replace("<", "\\u003c")


@cache
def _library() -> str:
    import plotly

    text = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    return text.replace("</script", "<\\/script")

"""A table of texts for a paper: Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Row = Sequence[str]
_ESCAPES = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\u2009": r"\,",
    "–": "--",
    "−": "-",
    "★": "",
    "▲": r"$^{+}$",
    "▼": r"$^{-}$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "°": r"$^{\circ}$",
}


def markdown(head: Row, rows: Sequence[Row], note: str, about: Mapping[str, str]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:], "", note, "", said(about)])


def latex(head: Row, rows: Sequence[Row], note: str, about: Mapping[str, str], bold: str) -> str:
    """With booktabs; cells that hold the sign ``bold`` are bold."""
    lines = []
    for row in rows:
        cells = [rf"\textbf{{{tex(cell)}}}" if bold in cell else tex(cell) for cell in row]
        lines.append(f"  {' & '.join(cells)} \\\\")
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            f"% {said(about)}",
            f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            "  \\toprule",
            f"  {' & '.join(tex(cell) for cell in head)} \\\\",
            "  \\midrule",
            *lines,
            "  \\bottomrule",
            "\\end{tabular}",
            f"% {note}",
            "",
        ]
    )


def said(about: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in about.items())


def tex(text: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in text).strip()

"""The lines that open an exported file in the tool that it is for."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

_FIFTYONE = """# pip install fiftyone pyarrow
import fiftyone as fo, pyarrow.parquet as pq
def sample(row):
    label, sure = row["prediction"], row["confidence"]
    row["prediction"] = label and fo.Classification(label=label, confidence=sure)
    row["ground_truth"] = row["ground_truth"] and fo.Classification(label=row["ground_truth"])
    return fo.Sample(**row)
dataset = fo.Dataset()
dataset.add_samples([sample(row) for row in pq.read_table({file}).to_pylist()])
fo.launch_app(dataset).wait()
"""
_FIFTYONE_CSV = """# pip install fiftyone
import json, fiftyone as fo
label = lambda text: fo.Classification(label=text)
fields = {{"tags": json.loads, "ground_truth": label, "prediction": label{more}}}
dataset = fo.Dataset.from_dir(dataset_type=fo.types.CSVDataset, labels_path={file}, fields=fields)
fo.launch_app(dataset).wait()
"""
_SPOTLIGHT = """# pip install renumics-spotlight
import pandas as pd
from renumics import spotlight
spotlight.show(pd.read_{kind}({file}), dtype={{{dtypes}}})
"""


def recipe(tool: str, file: str, columns: Sequence[str], numbers: Sequence[str]) -> tuple[str, str]:
    """Its language and its lines. ``numbers``: the columns that hold numbers, which a CSV does not tell."""
    csv, quoted = file.endswith(".csv"), json.dumps(file)
    if tool == "fiftyone":
        known = {*numbers, "filepath", "tags", "ground_truth", "prediction", "embedding"}
        texts = [name for name in columns if name not in known]
        more = "".join(f', "{name}": float' for name in numbers)
        more += ', "embedding": json.loads' if "embedding" in columns else ""
        more += "".join(f', "{name}": None' for name in texts)
        return "python", (_FIFTYONE_CSV if csv else _FIFTYONE).format(file=quoted, more=more)
    if tool == "spotlight":
        kinds = {"embedding": "Embedding", "image": "Image", "audio": "Audio"}
        dtypes = ", ".join(f'"{name}": spotlight.{kind}' for name, kind in kinds.items() if name in columns)
        return "python", _SPOTLIGHT.format(kind="csv" if csv else "parquet", file=quoted, dtypes=dtypes)
    options = [f"--{name} {name}" for name in ("x", "y", "neighbors", "image", "text") if name in columns]
    if "x" not in columns and "embedding" in columns:
        options.insert(0, "--vector embedding")
    return "bash", f"# pip install embedding-atlas\nembedding-atlas {shlex.quote(file)} {' '.join(options)}\n"

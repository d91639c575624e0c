"""What a row of the README's figures says of the document that its command wrote, and whether the goal is met."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    measured: str
    reached: str  # yes, no, some of several, or a dash where there was nothing to reach


def esc10(document: Document) -> Told:
    pooled, between, paired = document["pooled"], document["intervals"], document["against"]["paired"]
    kept = document["kept80"]["max_softmax"]
    low, high = between["accuracy"]
    goals = [low <= 0.957 <= high, pooled["nll"] <= 0.170, pooled["error_auroc"] >= 0.90, kept >= 0.99]
    goals += [paired["nll"][2] < 0, paired["augrc"][2] < 0]
    told = [
        f"accuracy {percent(pooled['accuracy'])} [{100 * low:.1f}, {100 * high:.1f}]",
        f"NLL {_between(pooled['nll'], between['nll'])}",
        f"error AUROC {_between(pooled['error_auroc'], between['error_auroc'])}",
        f"80 % kept {percent(kept)}",
        f"less the probe's: NLL {_signed(paired['nll'])}, AUGRC {_signed(paired['augrc'], 4)}",
    ]
    return Told("; ".join(told), _of(goals))


def outside(goal: float, *, above: bool = False) -> Callable[[Document], Told]:
    def told(document: Document) -> Told:
        one = document["measures"][document["named"]]
        text = f"{document['named']} {_between(one['mean'], one['interval'])}"
        goals = [one["mean"] >= goal]
        if above:
            text += f"; above max-softmax by {_signed([one['above'], *one['above_interval']])}"
            goals.append(one["above_interval"][0] > 0)
        return Told(text, _of(goals))

    return told


def accuracy(goal: float) -> Callable[[Document], Told]:
    def told(document: Document) -> Told:
        low, high = document["intervals"]["accuracy"]
        text = (
            f"accuracy {percent(document['accuracy'])} [{100 * low:.1f}, {100 * high:.1f}], NLL {document['nll']:.3f}"
        )
        return Told(f"{text}, ECE {document['ece']:.3f}", _of([document["accuracy"] >= goal]))

    return told


def scratch(document: Document) -> Told:
    errors = {name: row["error_auroc"] for name, row in document["measures"].items()}
    told = transferred(document).measured
    told += f"; error AUROC: epistemic {errors['epistemic']:.3f}, max-softmax {errors['max_softmax']:.3f}"
    return Told(told, _of([document["pooled"]["accuracy"] >= 0.80, errors["epistemic"] > errors["max_softmax"]]))


def transferred(document: Document) -> Told:
    pooled, between = document["pooled"], document["intervals"]
    low, high = between["accuracy"]
    slope = document["kept80"]["total"] - pooled["accuracy"]
    told = [
        f"accuracy {percent(pooled['accuracy'])} [{100 * low:.1f}, {100 * high:.1f}]",
        f"80 % kept {100 * slope:+.1f} points",
        f"error AUROC {_between(pooled['error_auroc'], between['error_auroc'])}",
        f"ECE {_between(pooled['ece'], between['ece'])}",
    ]
    return Told("; ".join(told), "–")


def abnn(document: Document) -> Told:
    found = document["differences"]
    ood = [key for key in found if key.startswith("ood ")]
    told = [f"{key} {_difference(found[key])}" for key in ("accuracy", "nll", "ece", *ood)]
    stored = document["first"]["stored"] / document["second"]["params"]
    goals = [abs(found["accuracy"]["difference"]) <= 0.005]
    goals += [_below(found["nll"]), _below(found["ece"]), *(_above(found[key]) for key in ood)]
    return Told("; ".join([*told, f"extra weights {100 * stored:.2f} %"]), _of(goals))


def predicted(document: Document) -> Told:
    found = document["differences"]
    keys = [key for key in ("r_auroc", "error_auroc", "agreement") if key in found]
    told = [
        f"{key.replace('_', ' ')} {found[key]['first']:.3f} and {found[key]['second']:.3f}, {_difference(found[key])}"
        for key in keys
    ]
    known = [f"{document['oracle'][key]:.3f}" for key in keys if document.get("oracle", {}).get(key) is not None]
    told += [f"true losses reach {', '.join(known)}"] if known else []
    return Told("; ".join(told), _of([_above(found[key]) for key in keys]))


def zero_shot(document: Document) -> Told:
    one, other = (document["measures"][name]["r_auroc"] for name in ("score", "total"))
    return Told(f"R-AUROC {one:.3f}, entropy's {other:.3f}; {document['n']:,} items", _of([one > other]))


def knobs(novelty: str) -> Callable[[Document], Told]:
    def told(document: Document) -> Told:
        found = document["measures"]
        mixing = {name: found[name]["mixing"]["mean"] for name in ("aleatoric", "epistemic")}
        rise = {name: found[name]["mixing_rise"]["mean"] for name in ("aleatoric", "epistemic")}
        strangers = found[novelty]["novelty"]
        text = [
            f"aleatoric rises by {rise['aleatoric']:.2f} nats (rank correlation {mixing['aleatoric']:.2f})",
            f"epistemic by {rise['epistemic']:.2f}",
            f"AUROC of strangers: {novelty} {strangers['mean']:.3f} ± {strangers['sd']:.3f}, "
            f"epistemic {found['epistemic']['novelty']['mean']:.3f}",
        ]
        goals = [mixing["aleatoric"] >= 0.9, rise["epistemic"] < rise["aleatoric"], strangers["mean"] > 0.5]
        return Told("; ".join(text), _of(goals))

    return told


def predicted_knobs(document: Document) -> Told:
    found = document["measures"]["score"]
    mixing, spoiling, strangers = (found[key]["mean"] for key in ("mixing", "spoiling", "novelty"))
    text = f"rank correlation with mixing {mixing:.2f}, with {document['spoiling']} {spoiling:.2f}; AUROC of strangers "
    text += f"{strangers:.3f} ± {found['novelty']['sd']:.3f}"
    return Told(text, _of([mixing >= 0.9, spoiling >= 0.9, abs(strangers - 0.5) <= 0.1]))


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _between(value: float, interval: Any) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _signed(values: Any, digits: int = 3) -> str:
    value, low, high = values
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def _difference(found: Document) -> str:
    if found["interval"] is None:
        return f"{found['difference']:+.3f}"
    return _signed([found["difference"], *found["interval"]])


def _below(found: Document) -> bool:
    return found["interval"] is not None and found["interval"][1] < 0


def _above(found: Document) -> bool:
    return found["interval"] is not None and found["interval"][0] > 0


def _of(goals: list[bool]) -> str:
    if len(goals) == 1 or all(goals) or not any(goals):
        return "yes" if all(goals) else "no"
    return f"{sum(goals)} of {len(goals)}"

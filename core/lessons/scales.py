"""Bayesian normalisation: the scales of a trained network become random, and where it doubts then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from core.contracts import Network, Progress, no_progress
from core.lessons._contract import Claim, Lesson, Number, Outcome, Own
from core.lessons._pictures import Chain, Line, Lines, Link, Meaning, Picture, Plane
from core.lessons._plane_told import Scene, Told, scene_of
from core.methods._knobs import check, knob
from core.metrics.ranks import spearman
from core.settings import Settings

_LAYERS = ("1", "2", "3")
_ALPHAS = (0.0, 0.01, 0.1, 0.3, 1.0)
_STEPS = 100  # of a fit
_SHARES = np.linspace(-0.25, 1.25, 31)  # of the way from one network to the other
_LOOKS: tuple[tuple[Meaning, str], ...] = (("epistemic", "solid"), ("signal", "dash"), ("total", "dot"))  # of layers
_NOTICED = 0.05  # nats: a smaller rise is called none


@dataclass(frozen=True, slots=True)
class Config:
    alpha: float = knob(0.1, "size of the noise on the scales; the paper's authors take 0.01", choices=_ALPHAS)
    members: int = knob(3, "copies that are fine-tuned, each by itself", least=2, most=6)
    boost: float = knob(7.0, "how much more than the other a member's favoured class counts", least=1.0, most=21.0)
    points: int = knob(200, "points to learn from", least=80, most=480)
    layers: str = knob("1 2 3", "which normalisations are random")

    def __post_init__(self) -> None:
        check(self)
        if self.layers.split(" ") != [one for one in _LAYERS if one in self.layers]:
            raise ValueError("layers are some of 1 2 3, in this order")


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    single: Told
    chosen: Told
    still: Told  # the chosen members without their noise
    scratch: Told
    alphas: tuple[Told, ...]
    layers: np.ndarray  # (layers, alphas) unfamiliarity near the points, of one layer's noise without fine-tuning
    ways: tuple[np.ndarray, np.ndarray]  # the loss between two members, and between two networks from scratch
    gradients: tuple[float, float, np.ndarray]  # of small batches, of random weights, and (alphas,) of random scales
    sizes: tuple[int, int]  # numbers that are a member's own, and of the whole network


def before(config: Config, seed: int, settings: Settings) -> tuple[Picture | Chain, ...]:
    scene, lit = scene_of(config.points, seed), config.layers.split(" ")
    links = [Link("x, y")]
    for layer in _LAYERS:
        turned = [one for one in _LAYERS if (one in lit) != (one == layer)]
        links += [
            Link("linear"),
            Link(f"normalise {layer}", True, layer in lit, " ".join(turned) or None),
            Link("ReLU"),
        ]
    links += [Link("linear"), Link("2 classes")]
    random = f"{len(lit)} of {len(_LAYERS)} normalisations are random: a scale is multiplied by 1 + alpha times noise."
    given = f"{len(scene.points)} points. A network learns them before anything is made random."
    return (
        Chain("The network", random, "layers", tuple(links)),
        Plane("What it has learned", given, scene.x, scene.y, (), scene.points.places, scene.points.labels),
    )


def compute(config: Config, seed: int, settings: Settings, progress: Progress = no_progress) -> Outcome:
    from core.lessons import _plane_fits, _scales
    from core.methods import abnn, deterministic, ensemble

    scene = scene_of(config.points, seed)
    where = "stage " + " ".join(f"block{layer}" for layer in config.layers.split(" "))
    plain = abnn.Config(members=config.members, boost=config.boost, where=where)

    def told(method: Any, state: Any) -> Told:
        return scene.told(_plane_fits.said(method.METHOD, state, scene.asked, seed))

    progress(0, 5, "One network is trained")
    single = _scales.trained(scene.points, seed, _STEPS)
    network = cast(Network, single.model)
    progress(1, 5, "its scales are shaken, by one alpha after the other")
    states = [_scales.shaken(network, scene.points, replace(plain, alpha=alpha), seed) for alpha in _ALPHAS]
    chosen = states[_ALPHAS.index(config.alpha)]
    progress(2, 5, "networks are trained from scratch")
    scratch = _scales.from_scratch(scene.points, config.members, seed, _STEPS)
    progress(3, 5, "one layer after the other is shaken alone")
    close = scene.asked[: len(scene.near)][scene.near]

    def alone(layer: str, alpha: float) -> float:
        config = abnn.Config(members=1, draws=_plane_fits.DRAWS, where=f"stage block{layer}", alpha=alpha)
        state = _scales.untuned(network, scene.points, config, seed)
        return float(_plane_fits.said(abnn.METHOD, state, close, seed).doubt.epistemic.mean())

    progress(4, 5, "gradients are compared")
    found = _Found(
        told(deterministic, single),
        told(abnn, chosen),
        told(abnn, _scales.quiet(chosen)),
        told(ensemble, scratch),
        tuple(told(abnn, state) for state in states),
        np.array([[alone(layer, alpha) for alpha in _ALPHAS] for layer in _LAYERS]),
        (
            _scales.way(chosen.members[:2], scene.points, _SHARES, anew=False),
            _scales.way(scratch.networks[:2], scene.points, _SHARES, anew=True),
        ),
        _scales.gradient_noise(network, scene.points, _ALPHAS, seed),
        _scales.sizes(chosen.members[0]),
    )
    progress(5, 5, "done")
    return _outcome(config, scene, found)


def claims(outcome: Outcome) -> tuple[Claim, ...]:
    def rises(part: str) -> float:
        values = [outcome[f"{part} {alpha:g}"] for alpha in _ALPHAS]
        return spearman(np.array(values), np.array(_ALPHAS)).value or 0.0

    return (
        Claim("doubt grows with alpha", rises("near") > 0.8 and rises("far") > 0.8),
        Claim("as much near the points as far from them",
              outcome["near 1"] - outcome["near 0"] > 0.5 * (outcome["far 1"] - outcome["far 0"]) > _NOTICED),
        Claim("there is no hill between members", outcome["hill members"] < 0.05),
        Claim("there is one between networks from scratch", outcome["hill scratch"] > 0.1),
        Claim("alpha 0.01 adds less to the gradient than small batches do",
              outcome["gradient 0.01"] < outcome["gradient batches"]),
        Claim("and less than random weights do", outcome["gradient 0.01"] < 0.5 * outcome["gradient weights"]),
        Claim("the last layer's noise says least", outcome["layer 3"] < outcome["layer 1"]),
        Claim("accuracy stays", abs(outcome["accuracy chosen"] - outcome["accuracy single"]) < 0.03),
    )  # fmt: skip


def _hill(way: np.ndarray) -> float:
    """How much higher than the straight line between its ends the loss gets."""
    inside = (_SHARES >= 0) & (_SHARES <= 1)
    losses, shares = way[inside], _SHARES[inside]
    return float((losses - np.interp(shares, (0.0, 1.0), (losses[0], losses[-1]))).max())


def _outcome(config: Config, scene: Scene, found: _Found) -> Outcome:
    near, far = ([getattr(one, part) for one in (found.alphas[0], found.alphas[-1])] for part in ("near", "far"))
    rises = near[1] - near[0], far[1] - far[0]
    right = 2 if max(rises) < _NOTICED else 0 if rises[0] < 0.5 * rises[1] else 1
    said = (
        f"From alpha 0 to 1 unfamiliarity rises from {near[0]:.2f} to {near[1]:.2f} nats near the points and from "
        f"{far[0]:.2f} to {far[1]:.2f} far from them, of at most ln 2 = 0.69."
    )
    return Outcome(right, said, _pictures(config, scene, found), _sentences(config, found), _numbers(found))


def _sentences(config: Config, found: _Found) -> tuple[str, ...]:
    nll, scratch = _each(found.alphas, "nll"), found.scratch
    best = _ALPHAS[int(nll.argmin())]
    batches, weights, scales = found.gradients
    own, whole = found.sizes
    hill = _hill(found.ways[0])
    return (
        "Noise on the scales knows nothing of the points: it is a doubt that was put in, not one that was found. Near "
        f"the points {config.members} networks from scratch have {scratch.near:.2f} nats of it, far from them "
        f"{scratch.far:.2f}.",
        "The NLL on new points (surprise at their true classes, less is better) is "
        f"{found.single.nll:.2f} for the one network, {nll[1]:.2f} at the authors' alpha of 0.01, {nll[-1]:.2f} at 1; "
        f"of those drawn alpha = {best:g} has the least, {min(nll):.2f}.",
        f"Without their noise the members at alpha = {config.alpha:g} keep {_mean(found.still):.3f} of "
        f"{_mean(found.chosen):.3f} nats, mean over the plane: so much comes from favouring different classes.",
        f"A member owns {own} of {whole} numbers and shares the others. On the straight line between two members the "
        f"loss rises by {hill:.2f}, between networks from scratch by {_hill(found.ways[1]):.2f}: members lie in "
        f"{'one valley, and are' if hill < _NOTICED else 'valleys of their own, not'} much alike.",
        f"Random scales hardly disturb training: at alpha = 0.01 the gradient varies {weights / scales[1]:.0f} times "
        f"less than with random weights (Flipout), and {batches / scales[1]:.0f} times less than from one batch of 32 "
        f"points to the next. At alpha = 1 it varies {scales[-1] / weights:.1f} times as much as with random weights.",
    )


def _numbers(found: _Found) -> tuple[Number, ...]:
    named = {"single": found.single, "chosen": found.chosen, "scratch": found.scratch}
    batches, weights, scales = found.gradients
    return (
        Number("still", "mean unfamiliarity of the chosen members without their noise, nats", _mean(found.still)),
        Number("shaken", "mean unfamiliarity of the chosen members, nats", _mean(found.chosen)),
        *(Number(f"{part} {alpha:g}", f"unfamiliarity {part} the points at alpha {alpha:g}, nats", getattr(one, part))
          for alpha, one in zip(_ALPHAS, found.alphas, strict=True) for part in ("near", "far")),
        *(Number(f"{part} scratch", f"unfamiliarity {part} the points, networks from scratch, nats", value)
          for part, value in (("near", found.scratch.near), ("far", found.scratch.far))),
        *(Number(f"accuracy {name}", f"accuracy on new points, {name}", one.accuracy) for name, one in named.items()),
        *(Number(f"nll {name}", f"NLL on new points, {name}, nats", one.nll) for name, one in named.items()),
        *(Number(f"hill {name}", f"rise of the loss between two {title}, nats", _hill(way))
          for (name, title), way in zip((("members", "members"), ("scratch", "networks from scratch")),
                                        found.ways, strict=True)),
        *(Number(f"layer {layer}", f"unfamiliarity near the points, alpha 1 in layer {layer} alone, nats", row[-1])
          for layer, row in zip(_LAYERS, found.layers.tolist(), strict=True)),
        Number("gradient batches", "standard deviation of the gradient over batches of 32", batches),
        Number("gradient weights", "standard deviation of the gradient over random weights (Flipout)", weights),
        *(Number(f"gradient {alpha:g}", f"standard deviation of the gradient over random scales, alpha {alpha:g}", one)
          for alpha, one in zip(_ALPHAS, scales.tolist(), strict=True)),
    )  # fmt: skip


def _pictures(config: Config, scene: Scene, found: _Found) -> tuple[Picture, ...]:
    alphas = np.array(_ALPHAS)
    top = max(float(one.unfamiliar.max()) for one in (found.chosen, found.scratch))
    first, last = found.alphas[0], found.alphas[-1]
    batches, weights, scales = found.gradients
    small = alphas < 1.0  # beyond, all else would be flat
    level = np.ones(int(small.sum()))
    return (
        Lines("Turn alpha", f"From alpha 0 to 1 unfamiliarity near the points goes from {first.near:.3f} to "
              f"{last.near:.3f} nats, the NLL on new points from {first.nll:.3f} to {last.nll:.3f}.",
              "alpha", "nats", (
                  Line("unfamiliar, far", alphas, _each(found.alphas, "far"), "epistemic"),
                  Line("unfamiliar, near", alphas, _each(found.alphas, "near"), "epistemic", "dot"),
                  Line("NLL", alphas, _each(found.alphas, "nll"), "ink", "dash"),
              )),
        scene.plane(f"{config.members} members, alpha = {config.alpha:g}",
                    f"Unfamiliar: {found.chosen.near:.3f} nats near the points, {found.chosen.far:.3f} far from them; "
                    f"{found.chosen.accuracy:.1%} of new points are right.", found.chosen, top),
        scene.plane(f"{config.members} networks from scratch",
                    f"Unfamiliar: {found.scratch.near:.3f} nats near the points, {found.scratch.far:.3f} far from "
                    f"them; {found.scratch.accuracy:.1%} of new points are right.", found.scratch, top),
        Lines("The way from one to another", f"Rise of the loss: {_hill(found.ways[0]):.3f} nats between two members, "
              f"{_hill(found.ways[1]):.3f} between two networks from scratch.",
              "from one (0) to the other (1)", "loss on the points in nats", (
                  Line("members", _SHARES, found.ways[0], "kept"),
                  Line("from scratch", _SHARES, found.ways[1], "refused", "dash"),
              )),
        Lines("One layer alone", f"At alpha = 1 unfamiliarity near the points is {found.layers[0, -1]:.2f} nats with "
              f"noise in the first normalisation, {found.layers[-1, -1]:.2f} with noise in the last.",
              "alpha", "unfamiliarity near the points in nats", tuple(
                  Line(f"normalise {layer}", alphas, row, meaning, dash)
                  for layer, row, (meaning, dash) in zip(_LAYERS, found.layers, _LOOKS, strict=True)
              )),
        Lines("What noise does to the gradient", f"At alpha = 0.01 random scales make {scales[1] / weights:.1%} of the "
              "deviation that random weights make.", "alpha", "share of what random weights make", (
                  Line("random scales", alphas[small], scales[small] / weights, "epistemic"),
                  Line("random weights", alphas[small], level, "refused", "dash"),
                  Line("batches of 32", alphas[small], level * batches / weights, "total", "dot"),
              )),
    )  # fmt: skip


def _mean(one: Told) -> float:
    return float(one.unfamiliar.mean())


def _each(told: Sequence[Told], part: str) -> np.ndarray:
    return np.array([getattr(one, part) for one in told])


LESSON = Lesson(
    key="scales",
    number=8,
    title="Normalisations that are random",
    idea="A trained network can be made to doubt by shaking a few of its numbers; mind which doubt that is.",
    opening=(
        "Between its layers a network normalises: it brings every unit to mean 0 and deviation 1, then multiplies by a "
        "learned scale and adds a learned shift. ABNN takes a network that is trained already and shakes the scales: "
        "1 + alpha times noise. Then it fine-tunes scales and shifts alone, in several copies, the **members**. Each "
        "favours a class of its own, so that they part.",
        "Asked about a place, every member answers several times, with noise. Where the answers differ, the place is "
        "called **unfamiliar**.",
    ),
    question="The noise grows from alpha 0 to alpha 1. Where does the network become doubtful?",
    options=("Far from the points, hardly near them", "Near the points as well", "Nowhere: copies are tuned to it"),
    Config=Config,
    before=before,
    compute=compute,
    claims=claims,
    terms=("aleatoric", "epistemic"),
    own=Own(
        "On Train, choose ABNN for data of your own: it takes a network that is trained, and alpha is one of its "
        "settings.",
        "Make a network's scales random", "pages/6_Train.py",
    ),
    seconds=6.0,
)  # fmt: skip

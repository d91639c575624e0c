"""ABNN (arXiv 2312.15297), Dropsembles (2406.12082) and Pretrained Visual Uncertainties (2402.16569)."""

from __future__ import annotations

from core.training.plan import Division, Plan, Recipe
from core.training.schedule import Schedule

_CLASSES = ("bird", "cat", "deer", "dog", "frog", "horse")  # of CIFAR-10: the other four are judged unseen

RECIPES = (
    Recipe(
        "abnn",
        "ABNN from a trained network",
        "ABNN",
        "The normalisation layers of a trained network become random; members are fine-tuned with class weights of "
        "their own (start=..., data=...).",
        Plan(
            data="soundbox",
            backbone="convnet",
            start="soundbox-deterministic",
            method="abnn",
            config=("members=3", "alpha=0.1"),
            schedule=Schedule(epochs=5, batch=32, rate=2e-4, decay=5e-4, decayed="all", precision="bfloat16"),
        ),
    ),
    Recipe(
        "dropsembles",
        "Dropsembles, adapting a head",
        "Dropsembles",
        "Thinned copies of a trained head, fine-tuned on new data and held near what it knew (config.ewc, anchor).",
        Plan(
            data="soundbox",
            backbone="convnet",
            start="soundbox-deterministic",
            method="dropsembles",
            config=("members=4",),
            fit="fixed",
            schedule=Schedule(epochs=20, batch=32, rate=5e-4),
        ),
    ),
    Recipe(
        "loss-prediction",
        "Learning to predict the loss",
        "Pretrained Visual Uncertainties",
        "A head that predicts how wrong a trained classifier is: config.loss={ranking, squared}, config.stop_gradient; "
        "the network learns as well with fit=fine-tuned.",
        Plan(
            data="toybox",
            backbone="resnet32",
            start="toybox-deterministic",
            method="loss_prediction",
            fit="fixed",
            target_folds=5,
            schedule=Schedule(epochs=20, batch=128, rate=3e-4, decay=0.01),
        ),
        (
            (
                "fit=fine-tuned",
                (
                    "target_folds=0",
                    "config.train_classifier=yes",
                    "schedule.epochs=4",
                    "schedule.batch=64",
                    "schedule.precision=bfloat16",
                ),
            ),
        ),
    ),
    Recipe(
        "zero-shot",
        "Doubt on classes never seen",
        "Pretrained Visual Uncertainties",
        "A classifier of six CIFAR-10 classes; loss_prediction on top is judged on the other four and on other sets.",
        Plan(
            data="cifar10",
            backbone="efficientnet_lite",
            network=("size=96", "share=1.0"),
            start="published",
            head="standard",
            fit="fixed",
            division=Division(by="held", held=500, classes=_CLASSES),
            schedule=Schedule(epochs=20, batch=256, rate=1e-3, decay=0.01),
        ),
        (
            (
                "method=loss_prediction",  # on top of a classifier that is trained first
                (
                    "settled=yes",
                    "settling.epochs=20",
                    "settling.batch=256",
                    "settling.rate=1e-3",
                    "settling.decay=0.01",
                    "target_folds=5",
                    "schedule.rate=3e-4",
                    "schedule.batch=128",
                ),
            ),
        ),
    ),
)

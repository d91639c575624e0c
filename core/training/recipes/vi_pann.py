"""VI-PANN (arXiv 2401.05531): Bayesian PANNs, pretrained on scenes of several labels and carried over to new sounds."""

from __future__ import annotations

from core.training.augmenting import PANNS, Augment
from core.training.plan import Division, Plan, Recipe
from core.training.schedule import Schedule

_PRETRAIN = Schedule(
    epochs=40, batch=32, optimiser="amsgrad", rate=1e-3, shape="cosine", warmup=0.1, precision="bfloat16"
)
_NETWORK = (
    ("data=audioset", ("schedule.balance=yes", "schedule.shape=constant", "schedule.warmup=0")),  # as PANNs
    ("method=flipout", ("config.rho=-5.0", "config.warmup=1000", "schedule.epochs=60", "numbers=int8")),
)
_SCRATCH = Schedule(epochs=120, batch=16, rate=2e-3, decay=1e-3, warmup=0.2, precision="bfloat16")
_AROUND_IT = (  # MOPED around the deterministic twin of the same fold
    "settled=yes",
    "schedule.epochs=40",
    "schedule.rate=5e-4",
    "schedule.decay=0",
    "config.moped=yes",
    "config.delta=0.2",
    "config.warmup=200",
)
_RANDOM_BELOW = ("schedule.epochs=40", "schedule.batch=32", "views=1")  # no features that could be kept
_TRANSFER = (
    ("method=mc_dropout", ("start=scenes-mc-dropout",)),  # each variant goes on with its own pretrained network
    ("method=flipout", ("start=scenes-flipout",)),
    ("fit=fixed", ("schedule.epochs=100", "schedule.batch=64", "schedule.rate=1e-3", "views=8")),
    ("fit=fixed&method=flipout", ("schedule.epochs=200", "config.rho=-4.0", "config.warmup=500")),
    ("fit=fixed&start=scenes-flipout&method=flipout", _RANDOM_BELOW),
    ("fit=fixed&start=scenes-mc-dropout&method=mc_dropout", _RANDOM_BELOW),
    ("method=det_flip", ("schedule.epochs=100", "schedule.batch=64", "config.delta=0.3", "config.warmup=300")),
    (
        "fit=fine-tuned&method=det_flip",  # first all of the network plainly, then its head
        (
            "settled=yes",
            "settling.epochs=40",
            "settling.batch=32",
            "settling.optimiser=adamw",
            "settling.rate=5e-4",
            "settling.head_rate=2e-3",
            "settling.decay=0",
            "settling.warmup=0.1",
            "settling.precision=bfloat16",
            "views=8",
        ),
    ),
    ("fit=fine-tuned&method=flipout", ("config.rho=-5.0", "config.warmup=1000", "schedule.epochs=60")),
    ("data=esc10", ("division.by=fold",)),
    ("data=esc50", ("division.by=fold",)),
    ("data=urbansound8k", ("division.by=fold",)),
    ("data=dcase2013", ("division.by=split",)),
)
_SMALL = ("widths=8,16,32,32", "hidden=32", "mel.n_fft=2048", "mel.hop=2048", "mel.mels=32")
_SMALL_TRANSFER = (
    ("method=mc_dropout", ("start=scenes-small-mc-dropout",)),
    ("method=flipout", ("start=scenes-small-flipout", "config.rho=-5.0", "config.warmup=100")),
    ("fit=fixed&method=deterministic", ("schedule.epochs=60",)),  # on features that are kept
    ("method=det_flip", ("schedule.epochs=60", "config.delta=0.3", "config.warmup=100")),
    (
        "fit=fine-tuned&method=det_flip",
        ("settled=yes", "settling.epochs=15", "settling.batch=16", "settling.rate=2e-3", "settling.decay=0"),
    ),
)

RECIPES = (
    Recipe(
        "vi-pann-pretrain",
        "VI-PANN pretraining",
        "VI-PANN",
        "A PANNs-style network on scenes of several labels: deterministic, mc_dropout or flipout; data=audioset where "
        "a copy is, backbone=panns for ResNet54.",
        Plan(
            data="soundbox_scenes",
            backbone="convnet",
            network=("widths=32,64,128,256", "mel.hop=640"),
            schedule=_PRETRAIN,
            augment=PANNS,
        ),
        _NETWORK,
    ),
    Recipe(
        "vi-pann-det-flip",
        "VI-PANN Det-Flip head",
        "VI-PANN",
        "Gaussian weights around the trained head of a deterministic network (MOPED); the network stays as it is.",
        Plan(
            data="soundbox_scenes",
            backbone="convnet",
            network=("widths=32,64,128,256", "mel.hop=640"),
            start="scenes-deterministic",
            method="det_flip",
            config=("delta=0.3", "warmup=500"),
            fit="fixed",
            schedule=Schedule(epochs=60, batch=64, rate=5e-4, warmup=0.1),
        ),
    ),
    Recipe(
        "vi-pann-transfer",
        "VI-PANN transfer",
        "VI-PANN",
        "A pretrained network carried over to new classes: method={deterministic, mc_dropout, flipout, det_flip}, "
        "fit={fixed, fine-tuned}, data={esc10, esc50, urbansound8k, dcase2013}; each method from its own pretrained "
        "network, or from start=.",
        Plan(
            data="esc10",
            backbone="convnet",
            network=("widths=32,64,128,256", "mel.hop=640"),
            start="scenes-deterministic",
            fit="fixed",
            division=Division(by="fold", test_fold=1),
            schedule=Schedule(epochs=40, batch=32, rate=5e-4, head_rate=2e-3, warmup=0.1, precision="bfloat16"),
            augment=Augment(time_stripes=2, time_width=48, mel_stripes=2, mel_width=8, roll=0.3),
        ),
        _TRANSFER,
    ),
    Recipe(
        "vi-pann-scratch",
        "ESC-10 from scratch",
        "VI-PANN",
        "A PANNs-style network on 320 recordings alone: deterministic, or flipout with Gaussian weights everywhere, "
        "which begins with its deterministic twin (MOPED).",
        Plan(
            data="esc10",
            backbone="convnet",
            network=("widths=48,96,192,256", "mel.hop=640"),
            division=Division(by="fold", test_fold=1),
            schedule=_SCRATCH,
            settling=_SCRATCH,
            numbers="int8",
            augment=Augment(
                mixup=0.4, mix="partners", time_stripes=2, time_width=64, mel_stripes=2, mel_width=8, roll=0.5
            ),
        ),
        (("method=flipout", _AROUND_IT),),
    ),
    Recipe(
        "vi-pann-small-pretrain",
        "VI-PANN pretraining, small",
        "VI-PANN",
        "The same on a network of 27,000 weights and coarse spectrograms, in minutes on any machine.",
        Plan(
            data="soundbox_scenes",
            backbone="convnet",
            network=_SMALL,
            schedule=Schedule(epochs=12, batch=32, rate=3e-3, warmup=0.1),
        ),
        (("method=flipout", ("config.rho=-5.0", "config.warmup=200")),),
    ),
    Recipe(
        "vi-pann-small",
        "VI-PANN transfer, small",
        "VI-PANN",
        "Such a network carried over to new classes: method=..., fit={fixed, fine-tuned}, start=drawn from scratch.",
        Plan(
            data="esc10",
            backbone="convnet",
            network=_SMALL,
            start="scenes-small-deterministic",
            division=Division(by="fold", test_fold=1),
            schedule=Schedule(epochs=15, batch=16, rate=2e-3, warmup=0.1),
        ),
        _SMALL_TRANSFER,
    ),
)

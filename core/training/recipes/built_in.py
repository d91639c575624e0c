"""The default models of a bare clone: one trained network on sounds, one on pictures, and every method on top."""

from __future__ import annotations

from core.training.augment import Augment
from core.training.plan import Division, Plan, Recipe
from core.training.schedule import Schedule

HEAD = Schedule(epochs=60, batch=64, rate=1e-3, decay=0.01, warmup=0.1)
HEADS = (  # what single methods need beside a head's usual schedule
    ("method=flipout", ("schedule.epochs=200", "config.rho=-4.0", "config.warmup=500", "schedule.rate=2e-3")),
    ("method=det_flip", ("schedule.epochs=120", "config.delta=0.3", "config.warmup=300", "schedule.decay=0")),
    ("method=ensemble", ("config.members=10", "config.bootstrap=yes")),
    ("method=dropsembles", ("config.members=8",)),
    ("method=loss_prediction", ("target_folds=5", "schedule.rate=3e-4", "config.width=256")),
    (
        "method=abnn",
        ("fit=fine-tuned", "schedule.epochs=5", "schedule.rate=2e-4", "config.alpha=0.1", "schedule.batch=32"),
    ),
)

RECIPES = (
    Recipe(
        "soundbox",
        "Soundbox, from scratch",
        "the app's own",
        "A small PANNs-style network on 16 kinds of made-up sound, mixtures with sampled labels included.",
        Plan(
            data="soundbox",
            backbone="convnet",
            schedule=Schedule(epochs=40, batch=32, rate=2e-3, decay=1e-3, warmup=0.2, precision="bfloat16"),
            augment=Augment(time_stripes=2, time_width=48, mel_stripes=2, mel_width=8, roll=0.3, gain_db=6.0),
        ),
    ),
    Recipe(
        "soundbox-heads",
        "Every method on Soundbox",
        "the app's own",
        "A method of your choice on the features of soundbox-deterministic (method=...).",
        Plan(data="soundbox", backbone="convnet", start="soundbox-deterministic", fit="fixed", schedule=HEAD),
        HEADS,
    ),
    Recipe(
        "toybox",
        "Toybox, on ImageNet features",
        "the app's own",
        "A head for 12 kinds of rendered toys on EfficientNet-Lite0, pictures with sampled labels included.",
        Plan(
            data="toybox",
            backbone="efficientnet_lite",
            network=("size=96", "share=1.0"),
            start="published",
            head="standard",
            fit="fixed",
            views=6,
            schedule=HEAD,
            augment=Augment(flip=True, shift=8, colour=0.2),
        ),
    ),
    Recipe(
        "toybox-heads",
        "Every method on Toybox",
        "the app's own",
        "A method of your choice on the features of toybox-deterministic (method=...).",
        Plan(
            data="toybox",
            backbone="efficientnet_lite",
            network=("size=96", "share=1.0"),
            start="toybox-deterministic",
            head="standard",
            fit="fixed",
            views=6,
            schedule=HEAD,
            augment=Augment(flip=True, shift=8, colour=0.2),
        ),
        HEADS,
    ),
    Recipe(
        "esc10",
        "ESC-10, on sound-effects features",
        "the app's own",
        "A head for ten kinds of recorded sound on the sound-effects network, whose weights are fetched once.",
        Plan(
            data="esc10",
            backbone="sfx",
            start="published",
            head="standard",
            fit="fixed",
            division=Division(by="fold", test_fold=1),
            views=10,
            schedule=Schedule(epochs=60, batch=64, optimiser="adam", rate=2e-3, decay=0.01, warmup=0.1),
            augment=Augment(roll=1.0),
        ),
        candidates=(
            ("schedule.decay=0.01", "views=1"),
            ("schedule.decay=0.003",),
            ("schedule.decay=0.01",),
            ("schedule.decay=0.03",),
            ("schedule.decay=0.1",),
        ),
    ),
    Recipe(
        "esc10-heads",
        "Every method on ESC-10",
        "the app's own",
        "A method of your choice on the sound-effects network, under a head that is trained plainly first (method=...).",
        Plan(
            data="esc10",
            backbone="sfx",
            start="published",
            head="standard",
            fit="fixed",
            division=Division(by="fold", test_fold=1),
            settled=True,
            settling=Schedule(epochs=60, batch=64, optimiser="adam", rate=2e-3, decay=0.03, warmup=0.1),
            views=10,
            schedule=HEAD,
            augment=Augment(roll=1.0),
        ),
        (*HEADS, ("method=ensemble", ("schedule.optimiser=adam", "schedule.rate=2e-3", "schedule.decay=0.03"))),
    ),
    Recipe(
        "cifar10",
        "CIFAR-10, fine-tuned",
        "the app's own",
        "EfficientNet-Lite0 with all layers trained on 45,000 pictures at 96 pixels; 5,000 choose and calibrate.",
        Plan(
            data="cifar10",
            backbone="efficientnet_lite",
            network=("size=96", "share=1.0"),
            start="published",
            division=Division(by="held", held=500),
            schedule=Schedule(
                epochs=7, batch=64, rate=1e-3, head_rate=3e-3, decay=0.02, warmup=0.15, precision="bfloat16"
            ),
            augment=Augment(flip=True, shift=6, label_smoothing=0.05),
        ),
    ),
    Recipe(
        "cifar10-heads",
        "Every method on CIFAR-10",
        "the app's own",
        "A method of your choice on the features of cifar10-deterministic (method=...).",
        Plan(
            data="cifar10",
            backbone="efficientnet_lite",
            network=("size=96", "share=1.0"),
            start="cifar10-deterministic",
            fit="fixed",
            division=Division(by="held", held=500),
            schedule=HEAD,
        ),
        (*HEADS, ("method=abnn", ("schedule.epochs=1", "schedule.batch=64", "schedule.precision=bfloat16"))),
    ),
)

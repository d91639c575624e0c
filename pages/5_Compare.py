"""All models that were judged on the same items: how right, how honest about doubt, and at what cost."""

from core.ui import compare, controls, shell

ICON = ":material/leaderboard:"

shell.frame()
shell.head(
    "Compare",
    "Which model is best on the same items, by how much, and what does it cost? Every figure has its interval, and "
    "every difference says whether chance could have made it.",
)
compare.page(controls.choice())

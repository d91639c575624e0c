"""Items that a model finds alike lie close; colour tells where it doubts."""

from core.ui import controls, shell
from core.ui import map as atlas_map

ICON = ":material/scatter_plot:"

shell.frame()
shell.head(
    "Map",
    "See where the doubt lies: items that the model finds alike lie close together. Hear or look at any of them, draw "
    "around some, and take the list with you.",
)
atlas_map.page(controls.choice())

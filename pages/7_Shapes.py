"""Implicit functions with doubt: damage a shape, and see what each method made up and whether it says so."""

from core.ui import shapes, shell

ICON = ":material/view_in_ar:"

shell.frame()
shell.head(
    "Shapes",
    "What does a method make up where nothing was seen, and does it say so? Damage a vertebra or a digit of known "
    "shape, or bring a label map of your own.",
)
shapes.page()

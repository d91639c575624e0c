"""A model of one's own: from data, a network and a method, watched while it learns."""

from core.ui import controls, shell, train

ICON = ":material/model_training:"

shell.frame()
shell.head("Train", "Make a model of your own from data, a network and a kind of doubt; watch it learn, then ask it.")
train.page(controls.choice())

"""A stream of sound, and doubt as it comes."""

from core.ui import controls, listen, shell

ICON = ":material/hearing:"

shell.frame()
shell.head("Listen", "Hear a sound at real speed and watch each model's doubt move with it, as far as time allows.")
listen.page(controls.choice(warm=True))

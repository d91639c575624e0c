"""Penumbra: see what your model does not know. Start with `streamlit run app.py`."""

from core.ui import shell

shell.run()

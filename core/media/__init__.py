"""Untrusted bytes to canonical sounds and pictures. Nothing here imports torch at import time."""

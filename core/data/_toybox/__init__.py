"""Toybox: toys given by signed distances, rendered by sphere tracing in numpy.

Arrays meet only ``+ - * /``, square root, minimum, maximum and floor, which IEEE 754 rounds alike everywhere, so a
picture has the same bytes on every machine; sines and cosines are taken of single numbers only.
"""

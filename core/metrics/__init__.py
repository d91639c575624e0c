"""Measures of answers: doubt, scores, calibration, retention, detection, retrieval, diversity, diagnosis.

Plain functions of arrays, in float64. They never ask which method produced an answer, draw nothing without a passed
generator, and say why where a figure does not exist.
"""

"""Lessons: one file each, computed live. A lesson asks for a prediction, computes, and says what came out."""

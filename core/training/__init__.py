"""How models are fitted: one loop for every method, what it reads, and recipes of whole experiments."""

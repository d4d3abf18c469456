"""Sentence alignment: beads between two languages, tuples between many."""

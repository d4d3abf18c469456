"""Ways to work through the blocks of a run: in this process, in several, or on a Ray cluster."""

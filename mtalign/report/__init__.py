"""The page people read: one self-contained HTML file about a run."""

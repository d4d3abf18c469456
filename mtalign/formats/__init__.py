"""Readers of articles, one file per format; every one yields articles and rejects, and never stops early."""

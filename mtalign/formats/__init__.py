"""Readers of articles, and readers and writers of translated sentences: one file per format.

Readers yield what they find and hand on what they cannot use; one bad article or unit never ends a file.
"""

"""The presets, as they are installed with the package."""

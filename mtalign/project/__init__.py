"""Entity projection: every annotation carried over as an exact span, or said to be lost."""

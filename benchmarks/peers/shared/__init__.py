"""What every peer's server shares: the model, the settings, the pinned slots, the form of an answer."""

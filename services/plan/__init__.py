"""Which speech model runs on which Orin in real time, before either is bought: arithmetic."""

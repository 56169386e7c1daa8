"""The splits and the metrics every method is measured by: ours, the peers and the floors alike."""

"""Inverse problems y = F(x) + noise with a learned prior: MAP estimates."""

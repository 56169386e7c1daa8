"""Learn the score ∇ₓ log p from data, and use it."""

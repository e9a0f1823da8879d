"""Provider organisations, the insurer's gate to them, and who is affiliated with them."""

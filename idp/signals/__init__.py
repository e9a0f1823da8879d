"""What changed and who is told: versions, epochs, the numbered revocations."""

"""Cases of suspected misuse."""

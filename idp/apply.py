"""Configuration as code, through domain functions."""

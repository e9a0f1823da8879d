"""What may stand in an applied file: one model per section, unknown fields refused."""

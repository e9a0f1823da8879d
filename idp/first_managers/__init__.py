"""The first access manager of a practice: three ways to prove it, the insurer's word, the duties taken on (W-1)."""

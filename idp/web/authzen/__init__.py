"""The machines' decision endpoints: AuthZEN 1.0 evaluation and searches, and who could (SE-6)."""

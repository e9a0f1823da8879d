"""Pages of an outside company's administrators: what practices let it do, and which of its people do it (W-6)."""

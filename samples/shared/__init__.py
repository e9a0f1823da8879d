"""What both sample apps share: how they read their settings and how they draw a page."""

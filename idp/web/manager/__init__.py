"""The access manager's pages (W-1 to W-10): people of a practice, inbox, requests, reviews, reports."""

"""Tests of the access manager's console: its JSON API, its reports and its speed."""

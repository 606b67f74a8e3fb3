"""Screens over the dashboard: questions and help."""

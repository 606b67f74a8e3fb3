"""The panels: each draws from the view state and keeps no history of its own."""

"""Charts as text, drawn by plotext. The only place that imports it."""

"""The application: configuration, training engine, run folders, worker, dashboard and command line."""

__version__ = "0.1.0"

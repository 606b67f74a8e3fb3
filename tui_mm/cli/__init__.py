"""The command line: thin over data, training, worker and runs. Heavy imports happen inside the commands."""

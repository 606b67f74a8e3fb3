"""The compiled step engine's programs: a process that compiles them, and the folder that keeps them."""

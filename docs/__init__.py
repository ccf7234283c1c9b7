"""Documentation of the project, and the programs that write and check it."""

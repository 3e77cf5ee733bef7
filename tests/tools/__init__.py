"""Stand-ins for a GPU, and scripts that write or inspect files of the project."""

"""The command line's shell: arguments in, exit code out."""

"""The GitHub Action's shell: environment in, exit code out."""

"""YAML to frozen values with source positions; every problem of a file at once."""

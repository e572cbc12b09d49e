"""What is derived from the records of the language: JSON Schema, documentation, explanations, the codes of problems."""

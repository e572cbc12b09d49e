"""Templates: expressions in scalars, whole-file templates, the matrix, and the sandbox that bounds them."""

"""`expect.invariants` (spec.md section 4), judged of what was recorded: one module for what each kind looks at."""

"""One way to write a spec file: the same data and every comment, laid out anew."""

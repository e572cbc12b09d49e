"""SQL that the runner sends itself: PostgreSQL and MariaDB, one statement, a file, or sessions that interleave."""

"""Storage of runs in the database of the durable engine: SQLite or Postgres."""

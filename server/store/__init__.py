"""The store: the only place with SQL. Its contract is D1's: statements and atomic batches."""

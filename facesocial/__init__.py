"""The leaf everyone may import: configuration, errors, result types, logging."""

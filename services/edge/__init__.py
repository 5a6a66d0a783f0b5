"""In front of everything: uploads, forms, problems, probes."""

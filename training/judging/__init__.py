"""Whether a trained network is good enough: the bars of each, with 95 % intervals and the teacher beside it."""

"""How old, which gender?"""

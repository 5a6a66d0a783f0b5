"""Whose face is it?"""

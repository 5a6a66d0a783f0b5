"""Where are the faces?"""

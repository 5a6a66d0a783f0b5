"""Was somebody there in person?"""

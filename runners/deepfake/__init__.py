"""Is the face a forgery?"""

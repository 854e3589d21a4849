"""What the user asks for, as typed data.

This room reads files and talks to nobody; pydantic stays inside it. Whoever calls it gets a model, or every mistake at
once.
"""

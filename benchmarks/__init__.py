"""What the performance figures are measured with: each is a ratio against something run beside it, with its bound."""

"""omnictl's cluster templates."""

"""Pictures of clusters, plans and changes: SVG and Mermaid. Pure functions from data to text."""

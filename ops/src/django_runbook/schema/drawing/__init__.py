"""The models and their relations as text for Graphviz and Mermaid."""

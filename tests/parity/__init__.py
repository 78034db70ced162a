"""The paper venue and the practice exchange side by side: the same orders, the same fills and refusals."""

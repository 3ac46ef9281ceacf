"""HTTP: requests to use cases, answers and errors to responses. No rules of scoring, no SQL."""

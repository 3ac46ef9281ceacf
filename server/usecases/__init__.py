"""What propgauge does, one verb per file. No HTTP, no SQL."""
